-- Whether a model calls tools, where its name is not to say it.
ALTER TABLE models ADD COLUMN calls_tools boolean;

-- The app that answers where a workspace is talked to and none is named. Without one it is the first.
ALTER TABLE apps ADD COLUMN "default" boolean NOT NULL DEFAULT false;
