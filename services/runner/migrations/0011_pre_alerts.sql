-- Whether somebody wants to be told apart of a trial in which not all passed.
ALTER TABLE trials ADD COLUMN alert_on_fail boolean NOT NULL DEFAULT false;
