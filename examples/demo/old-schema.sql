-- What an app of 2023 left behind. The app of today finds "worlds" already there, so its first migration
-- fails; and its seed finds no column "assets".
CREATE TABLE worlds (
    id SERIAL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    parent_theme TEXT,
    theme_bundle TEXT
);

CREATE TABLE players (
    id SERIAL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    world_id INTEGER NOT NULL REFERENCES worlds (id)
);

CREATE TABLE _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
);

INSERT INTO worlds (slug, name, parent_theme, theme_bundle) VALUES
    ('old-march', 'The Old March', 'winter', 'march-1'),
    ('old-coast', 'The Old Coast', 'sea', 'coast-1');

INSERT INTO players (email, world_id)
SELECT 'player-' || n || '@weltenwind.example', 1 + n % 2 FROM generate_series(1, 40) AS n;

INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, logs, applied_steps_count) VALUES
    ('1', '', now(), '20230110120000_first', NULL, 1),
    ('2', '', NULL, '20240304180000_worlds', 'relation "worlds" already exists', 0);
