-- Feedback is erased with the runs that it is about, by the age of those as well.
CREATE INDEX feedback_of_workspace_runs ON feedback (workspace_id, run_id);
DROP INDEX feedback_of_run;
