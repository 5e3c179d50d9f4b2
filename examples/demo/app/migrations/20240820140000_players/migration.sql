CREATE TYPE role AS ENUM ('PLAYER', 'EDITOR', 'ADMIN');

CREATE TABLE players (
    id SERIAL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    role role NOT NULL DEFAULT 'PLAYER',
    world_id INTEGER NOT NULL REFERENCES worlds (id) ON DELETE CASCADE
);

CREATE TABLE page_permissions (
    page TEXT NOT NULL,
    role role NOT NULL,
    allowed BOOLEAN NOT NULL DEFAULT true,
    PRIMARY KEY (page, role)
);
