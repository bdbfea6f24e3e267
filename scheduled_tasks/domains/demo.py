"""Sample data for the worked example: a few hundred realistic rows, always the same except for their dates.

Venues, products, events, stocks and bookings, some of them expired or past, so that the first run of a task has
something to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

BOOKINGS = 400

_VENUES = (
    "Librairie du Canal",
    "Librairie Les Mots Bleus",
    "Librairie de la Gare",
    "Au Pied de la Lettre",
    "La Page d'Après",
    "Le Grand Rayon",
    "Disquaire Sillon",
    "Maison de la Presse",
    "Théâtre des Halles",
    "Cinéma Le Lux",
    "Salle Gaveau-Nord",
    "Espace Jean-Vilar",
)

_PRODUCTS = (
    ("Les Misérables", "book", "14.90"),
    ("Madame Bovary", "book", "5.20"),
    ("Le Comte de Monte-Cristo", "book", "18.50"),
    ("Germinal", "book", "6.10"),
    ("Bel-Ami", "book", "4.80"),
    ("Les Fleurs du mal", "book", "3.90"),
    ("La Princesse de Clèves", "book", "4.20"),
    ("Vingt mille lieues sous les mers", "book", "8.30"),
    ("Le Rouge et le Noir", "book", "6.40"),
    ("Candide", "book", "2.95"),
    ("Cyrano de Bergerac", "book", "3.60"),
    ("Notre-Dame de Paris", "book", "7.90"),
    ("Le Voyage dans la Lune", "film", "12.99"),
    ("La Passion de Jeanne d'Arc", "film", "14.99"),
    ("L'Atalante", "film", "13.50"),
    ("La Grande Illusion", "film", "11.99"),
    ("Carmen", "music", "17.00"),
    ("Gymnopédies", "music", "12.50"),
    ("Le Carnaval des animaux", "music", "13.90"),
    ("Boléro", "music", "15.20"),
    ("Jeu de l'oie", "game", "19.90"),
    ("Les Mille Bornes de la ville", "game", "21.00"),
    ("Tarot", "game", "8.50"),
    ("Nain jaune", "game", "16.80"),
)

_EVENTS = ("Rencontre avec l'auteur", "Soirée lecture")

_TABLES_ARE_EMPTY = """
SELECT NOT EXISTS (SELECT FROM provider) AND NOT EXISTS (SELECT FROM venue) AND NOT EXISTS (SELECT FROM product)
   AND NOT EXISTS (SELECT FROM offer_index_queue)
"""

_INSERT_PROVIDERS = """
INSERT INTO provider (name, local_class)
VALUES ('Titelive stocks', 'TiteLiveStocks'), ('Titelive catalogue', 'TiteLiveThings')
"""

_INSERT_VENUES = """
WITH added AS (
    INSERT INTO venue (name, siret) SELECT * FROM unnest(%(names)s::text[], %(sirets)s::text[]) RETURNING id
)
INSERT INTO venue_provider (venue_id, provider_id)
SELECT added.id, provider.id FROM added JOIN provider ON provider.local_class = 'TiteLiveStocks' ORDER BY added.id
"""

_INSERT_PRODUCTS = """
INSERT INTO product (ean, title, type, price)
SELECT * FROM unnest(%(eans)s::text[], %(titles)s::text[], %(types)s::text[], %(prices)s::numeric[])
"""

# Every venue has two of three products; one in eleven offers is withdrawn.
_INSERT_OFFERS_OF_PRODUCTS = """
INSERT INTO offer (venue_id, product_id, name, type, is_active, indexed_at)
SELECT venue.id, product.id, product.title, product.type, n %% 11 <> 0, CASE WHEN n %% 4 <> 0 THEN now() END
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM venue) AS venue (id, name, siret, v)
  CROSS JOIN (SELECT *, row_number() OVER (ORDER BY id) AS p FROM product) AS product
  CROSS JOIN LATERAL (SELECT v * 24 + p AS n) AS number
 WHERE (v + p) %% 3 <> 0
 ORDER BY n
"""

# Half of the events are over: their offers have expired and are still in the index.
_INSERT_OFFERS_OF_EVENTS = """
INSERT INTO offer (venue_id, name, type, expires_at, indexed_at)
SELECT venue.id, event, 'event', now() + interval '1 day' * (CASE WHEN e = 1 THEN -7 ELSE 21 END), now()
  FROM venue
  CROSS JOIN unnest(%(events)s::text[]) WITH ORDINALITY AS event (event, e)
 ORDER BY venue.id, e
"""

_INSERT_STOCKS = """
INSERT INTO stock (offer_id, quantity, price, ends_at)
SELECT offer.id, 3 + offer.id %% 17, coalesce(product.price, 10), offer.expires_at
  FROM offer
  LEFT JOIN product ON product.id = offer.product_id
 ORDER BY offer.id
"""

# Spread over all stocks and sixty days; three in eight are pending, three in eight confirmed.
_INSERT_BOOKINGS = """
INSERT INTO booking (stock_id, quantity, status, created_at, used_at, cancelled_at, cancellation_reason)
SELECT stock.id, 1 + b %% 2, status, made_at,
       CASE status WHEN 'used' THEN made_at + interval '1 day' END,
       CASE status WHEN 'cancelled' THEN made_at + interval '1 hour' END,
       CASE status WHEN 'cancelled' THEN 'customer' END
  FROM generate_series(1, %(bookings)s) AS b
  JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS s, count(*) OVER () AS stocks FROM stock) AS stock
    ON s = b * 7 %% stocks
  CROSS JOIN LATERAL (
      SELECT (ARRAY['pending', 'confirmed', 'used', 'pending', 'confirmed', 'cancelled', 'pending', 'confirmed'])
                 [1 + b %% 8] AS status,
             now() - interval '1 day' * (b * 13 %% 60) - interval '1 hour' AS made_at
  ) AS what
 ORDER BY b
"""

_INSERT_QUEUE = "INSERT INTO offer_index_queue (offer_id) SELECT id FROM offer WHERE indexed_at IS NULL ORDER BY id"


def fill(connection: Connection) -> str:
    """Fill the example's tables in one transaction if they are empty; return what was added as a sentence, or ""."""
    with connection.transaction():
        connection.execute("LOCK TABLE venue IN SHARE ROW EXCLUSIVE MODE")  # with two at once, the second finds rows
        if connection.execute(_TABLES_ARE_EMPTY).fetchall() != [(True,)]:
            return ""
        connection.execute(_INSERT_PROVIDERS)
        sirets = [_with_luhn_digit(f"{530_200_000 + 1_117 * n}0001") for n in range(len(_VENUES))]
        connection.execute(_INSERT_VENUES, {"names": list(_VENUES), "sirets": sirets})
        titles, types, prices = zip(*_PRODUCTS, strict=True)
        eans = [_with_ean_digit(f"97820{7_000_000 + 37 * n}") for n in range(len(_PRODUCTS))]
        products = {"eans": eans, "titles": list(titles), "types": list(types), "prices": list(prices)}
        connection.execute(_INSERT_PRODUCTS, products)
        offers = connection.execute(_INSERT_OFFERS_OF_PRODUCTS, {}).rowcount
        offers += connection.execute(_INSERT_OFFERS_OF_EVENTS, {"events": list(_EVENTS)}).rowcount
        connection.execute(_INSERT_STOCKS, {})
        bookings = connection.execute(_INSERT_BOOKINGS, {"bookings": BOOKINGS}).rowcount
        connection.execute(_INSERT_QUEUE)
    return f"sample data added: {len(_VENUES)} venues, {offers} offers, {bookings} bookings"


def _with_luhn_digit(number: str) -> str:
    """Append the last digit of a SIRET, a Luhn checksum."""
    doubled = (int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number)))
    return number + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def _with_ean_digit(number: str) -> str:
    """Append the last digit of an EAN-13, a checksum with weights 1 and 3."""
    return number + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(number)) % 10)
