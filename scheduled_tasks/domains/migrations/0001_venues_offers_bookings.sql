-- Venues sell offers of products, customers book them from stocks, providers supply the stocks, a search
-- service finds the offers.

CREATE TABLE provider (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                 text NOT NULL,
    local_class          text NOT NULL UNIQUE,  -- its name in the code
    last_synchronized_at timestamptz            -- of its catalogue, which is the same for all venues
);

CREATE TABLE venue (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text NOT NULL,
    siret text UNIQUE CHECK (siret ~ '^[0-9]{14}$')  -- null until it is known
);

CREATE TABLE venue_provider (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    venue_id             bigint NOT NULL REFERENCES venue ON DELETE CASCADE,
    provider_id          bigint NOT NULL REFERENCES provider,
    is_active            boolean NOT NULL DEFAULT true,
    last_synchronized_at timestamptz,  -- when the last complete synchronization began
    UNIQUE (venue_id, provider_id)
);

CREATE INDEX venue_provider_provider_id ON venue_provider (provider_id);

CREATE TABLE product (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ean   text NOT NULL UNIQUE CHECK (ean ~ '^[0-9]{13}$'),
    title text NOT NULL,
    type  text NOT NULL CHECK (type IN ('book', 'film', 'game', 'music')),
    price numeric(10, 2) CHECK (price >= 0)  -- the single price, where there is one
);

CREATE TABLE offer (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    venue_id   bigint NOT NULL REFERENCES venue ON DELETE CASCADE,
    product_id bigint REFERENCES product,  -- null for an event
    name       text NOT NULL,
    type       text NOT NULL CHECK (type IN ('book', 'film', 'game', 'music', 'event')),
    is_active  boolean NOT NULL DEFAULT true,
    expires_at timestamptz,                -- null: never
    indexed_at timestamptz,                -- null if it is not in the search index
    UNIQUE (venue_id, product_id)
);

CREATE INDEX offer_product_id ON offer (product_id);
CREATE INDEX offer_indexed_expires_at ON offer (expires_at) WHERE indexed_at IS NOT NULL;

CREATE TABLE stock (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    offer_id bigint NOT NULL REFERENCES offer ON DELETE CASCADE,
    quantity integer NOT NULL CHECK (quantity >= 0),  -- what can still be booked
    price    numeric(10, 2) NOT NULL CHECK (price >= 0),
    ends_at  timestamptz                              -- when the event is over; null for a product
);

CREATE INDEX stock_offer_id ON stock (offer_id);
CREATE UNIQUE INDEX stock_of_a_thing ON stock (offer_id) WHERE ends_at IS NULL;
CREATE INDEX stock_ends_at ON stock (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE booking (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stock_id            bigint NOT NULL REFERENCES stock,
    quantity            integer NOT NULL DEFAULT 1 CHECK (quantity > 0),
    status              text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'confirmed', 'used', 'cancelled')),
    created_at          timestamptz NOT NULL DEFAULT now(),
    used_at             timestamptz,
    cancelled_at        timestamptz,
    cancellation_reason text CHECK (cancellation_reason IN ('expired', 'customer', 'venue')),
    CHECK ((status = 'used') = (used_at IS NOT NULL)),
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((status = 'cancelled') = (cancellation_reason IS NOT NULL))
);

CREATE INDEX booking_stock_id ON booking (stock_id);
CREATE INDEX booking_pending ON booking (id) WHERE status = 'pending';
CREATE INDEX booking_confirmed ON booking (stock_id) WHERE status = 'confirmed';

-- The offers to send to the search index. Whoever changes an offer writes
--     INSERT INTO offer_index_queue (offer_id) VALUES (…)
--     ON CONFLICT (offer_id) DO UPDATE SET revision = offer_index_queue.revision + 1
-- No foreign key: deleted offers must leave the index too.
CREATE TABLE offer_index_queue (
    offer_id    bigint PRIMARY KEY,
    revision    bigint NOT NULL DEFAULT 1,
    queued_at   timestamptz NOT NULL DEFAULT now(),
    taken_until timestamptz  -- a run is sending it until then; later, that run was killed
);

CREATE INDEX offer_index_queue_queued_at ON offer_index_queue (queued_at, offer_id);
