-- Sessions that go on from an earlier turn: the last turn that something has followed.

ALTER TABLE sessions ADD COLUMN followed int NOT NULL DEFAULT 0;
