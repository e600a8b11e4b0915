CREATE TABLE IF NOT EXISTS points (
    user_id text PRIMARY KEY,
    balance bigint NOT NULL DEFAULT 0
);

-- The mark is the effect: a row for every event, from which a trigger keeps the balance.
CREATE TABLE IF NOT EXISTS ledger (
    event_id uuid PRIMARY KEY,
    user_id  text NOT NULL,
    amount   bigint NOT NULL
);

CREATE OR REPLACE FUNCTION keep_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO points VALUES (NEW.user_id, NEW.amount)
        ON CONFLICT (user_id) DO UPDATE SET balance = points.balance + NEW.amount;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER ledger_keeps_balance AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION keep_balance();
