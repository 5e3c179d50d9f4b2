CREATE TABLE worlds (
    id SERIAL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    parent_theme TEXT,
    theme_bundle TEXT
);
