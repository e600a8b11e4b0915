CREATE TABLE IF NOT EXISTS points (user_id text PRIMARY KEY, balance bigint NOT NULL DEFAULT 0);

-- No unique key: the isolation level keeps two replicas apart.
CREATE TABLE IF NOT EXISTS seen (event_id text NOT NULL);
CREATE INDEX IF NOT EXISTS seen_by_event ON seen (event_id);
