-- Alerts: a row is written once, before anything is sent; what happens to it afterwards is appended as events, so that
-- the worker that sends and the person who acknowledges never overwrite each other.
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS kind String COMMENT 'hit, waiting (a customer still waits for a reply) or correlation (count of hits over sessions)';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS rule_version String COMMENT 'Version of the rule';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS title String COMMENT 'Name of the rule';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS reason String COMMENT 'Why, in a sentence';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS evidence String COMMENT 'Masked text of the first turn it rests on, cut';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS evidence_seqs Array(Int64) COMMENT 'seq of the turns it rests on';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS evidence_key String COMMENT 'Key of the first of these turns';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS hit_id String COMMENT 'Hit of the closed analysis that it announces; empty where it is of another kind';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS channel String COMMENT 'Channel';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS team String COMMENT 'Team that the session names';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS session_agent String COMMENT 'Agent of the session, by whom its team is found';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS customer_id String COMMENT 'Keyed pseudonym of the customer';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS withheld String COMMENT 'Why it is not sent: too_old or cooldown; empty where it is';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS stored_at DateTime64(3, 'UTC') COMMENT 'When it was decided';
ALTER TABLE alert_rows ADD COLUMN IF NOT EXISTS written_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When the row was inserted';
ALTER TABLE alert_rows ADD INDEX IF NOT EXISTS by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1;
ALTER TABLE alert_rows ADD INDEX IF NOT EXISTS by_written written_at TYPE minmax GRANULARITY 1;

CREATE TABLE IF NOT EXISTS alert_events (
    alert_id   String COMMENT 'Alert',
    event      String COMMENT 'sent, failed (no target took it for a while), superseded (the closed session has no such hit), restored (it has again) or acknowledged',
    actor      String COMMENT 'Who: a user, or the process',
    at         DateTime64(3, 'UTC') COMMENT 'When',
    detail     String COMMENT 'sent: the targets that took it; failed: the last error; acknowledged: a remark',
    written_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When the row was inserted',
    INDEX by_written written_at TYPE minmax GRANULARITY 1
) ENGINE = {{replicated}}ReplacingMergeTree(written_at) ORDER BY (alert_id, event)
COMMENT 'What happened to alerts; of each event of an alert the latest counts';

CREATE OR REPLACE VIEW alerts (
    alert_id        String COMMENT 'Identity of the alert: hash(session, rule, first evidence)',
    session_id      String COMMENT 'Session; of a correlation the latest that counted',
    rule_id         String COMMENT 'Rule, or the id of the correlation',
    at              DateTime64(3, 'UTC') COMMENT 'Time of the evidence; of waiting, when the wait became too long',
    sent_at         Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was sent, null while it was not',
    state           String COMMENT 'stored, sent, failed (no target took it), acknowledged, or superseded (the closed session has no such hit)',
    severity        String COMMENT 'Severity of the rule',
    shop            String COMMENT 'Shop',
    agent_id        String COMMENT 'Agent',
    kind            String COMMENT 'hit, waiting (a customer still waits for a reply) or correlation (count of hits over sessions)',
    team            String COMMENT 'Team that the session names, else the team its agent had by the imported agents, else empty',
    title           String COMMENT 'Name of the rule',
    reason          String COMMENT 'Why, in a sentence',
    evidence        String COMMENT 'Masked text of the first turn it rests on, cut to 200 characters',
    evidence_seqs   Array(Int64) COMMENT 'seq of the turns it rests on',
    hit_id          String COMMENT 'Hit that it announces; empty for waiting and correlation',
    rule_version    String COMMENT 'Version of the rule',
    channel         String COMMENT 'Channel',
    customer_id     String COMMENT 'Keyed pseudonym of the customer, empty where unknown',
    session_agent   String COMMENT 'Agent of the session, by whom its team is found',
    withheld        String COMMENT 'Why it is not sent: too_old or cooldown; empty where it is',
    stored_at       DateTime64(3, 'UTC') COMMENT 'When it was decided',
    acknowledged_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When somebody took it, null while nobody has',
    acknowledged_by String COMMENT 'Who took it',
    note            String COMMENT 'Remark of who took it',
    sent_to         String COMMENT 'Targets that took it, joined by commas',
    error           String COMMENT 'Why the last target that failed did'
) AS
SELECT r.alert_id AS alert_id, r.session_id AS session_id, r.rule_id AS rule_id, r.at AS at, e.sent AS sent_at,
    multiIf(ifNull(e.superseded > e.restored, e.superseded IS NOT NULL), 'superseded', e.acknowledged IS NOT NULL, 'acknowledged', e.sent IS NOT NULL, 'sent', e.failed IS NOT NULL, 'failed', 'stored') AS state,
    r.severity AS severity, r.shop AS shop, r.agent_id AS agent_id, r.kind AS kind, if(r.team != '', r.team, g.team) AS team, r.title AS title, r.reason AS reason,
    r.evidence AS evidence, r.evidence_seqs AS evidence_seqs, r.hit_id AS hit_id, r.rule_version AS rule_version, r.channel AS channel, r.customer_id AS customer_id,
    r.session_agent AS session_agent, r.withheld AS withheld, r.stored_at AS stored_at, e.acknowledged AS acknowledged_at, e.acknowledged_by AS acknowledged_by, e.note AS note,
    e.sent_to AS sent_to, e.error AS error
FROM (SELECT * FROM alert_rows FINAL) AS r
LEFT JOIN (
    SELECT alert_id, maxOrNullIf(at, event = 'sent') AS sent, maxOrNullIf(at, event = 'failed') AS failed,
        maxOrNullIf(written_at, event = 'superseded') AS superseded, maxOrNullIf(written_at, event = 'restored') AS restored,
        maxOrNullIf(at, event = 'acknowledged') AS acknowledged, argMaxIf(actor, written_at, event = 'acknowledged') AS acknowledged_by,
        argMaxIf(detail, written_at, event = 'acknowledged') AS note, argMaxIf(detail, written_at, event = 'sent') AS sent_to,
        argMaxIf(detail, written_at, event = 'failed') AS error
    FROM alert_events GROUP BY alert_id
) AS e ON e.alert_id = r.alert_id
ASOF LEFT JOIN (SELECT agent_id, valid_from, team FROM agents FINAL) AS g ON g.agent_id = r.session_agent AND r.at >= g.valid_from;
