-- Whether a model sees images, where its name is not to say it.
ALTER TABLE models ADD COLUMN sees_images boolean;
