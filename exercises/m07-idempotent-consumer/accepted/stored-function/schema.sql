CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS processed (
    event_id uuid NOT NULL UNIQUE,
    user_id  text NOT NULL,
    points   bigint NOT NULL
);

CREATE OR REPLACE FUNCTION apply_payment(event jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    earned bigint := (event ->> 'amount_kopecks')::bigint / 100;
BEGIN
    INSERT INTO processed VALUES ((event ->> 'event_id')::uuid, event ->> 'user_id', earned);
    INSERT INTO points VALUES (event ->> 'user_id', earned)
        ON CONFLICT (user_id) DO UPDATE SET balance = points.balance + earned;
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;
