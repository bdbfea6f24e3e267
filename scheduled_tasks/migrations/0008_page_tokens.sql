-- Tokens with which programs ask the page. Of a token only its hash is here: it is 256 random bits, so that no salt is
-- needed. A revoked one stays, and its name can be used again.
CREATE TABLE page_token (
    sha256     text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    name       text NOT NULL CHECK (name <> ''),
    groups     text[] NOT NULL DEFAULT '{}',  -- as whose member the program acts
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    reason     text,
    until      timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text
);

CREATE UNIQUE INDEX page_token_name ON page_token (name) WHERE revoked_at IS NULL;
