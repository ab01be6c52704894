-- Cells of orders name a session of the agent, which may be another customer's: what erases a customer finds rows by the
-- columns session_id and customer_id.
ALTER TABLE kpi_facts ADD COLUMN IF NOT EXISTS customer_id String MATERIALIZED if(startsWith(customer, 'c'), substring(customer, 2), '') COMMENT 'Keyed pseudonym of the customer, empty where the cell has none' AFTER customer;
