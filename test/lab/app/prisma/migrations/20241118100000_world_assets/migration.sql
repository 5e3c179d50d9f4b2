-- One column for everything a world shows: the two theme columns move into it.
ALTER TABLE "worlds" ADD COLUMN "assets" JSONB NOT NULL DEFAULT '{}';

UPDATE "worlds"
SET "assets" = jsonb_strip_nulls(jsonb_build_object('parent', "parent_theme", 'bundle', "theme_bundle"));

ALTER TABLE "worlds" DROP COLUMN "parent_theme", DROP COLUMN "theme_bundle";
