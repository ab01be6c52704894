-- The registry of opinions: what an epoch is made of, and who rebuilds it now.
ALTER TABLE opinion_events ADD COLUMN IF NOT EXISTS members Array(String) COMMENT 'found: normalised texts it was founded on; split: those that move to it. Sorted' AFTER note;
ALTER TABLE opinion_events MODIFY COLUMN action String COMMENT 'found, title, rename, merge, split, status, note, retire (no mention can join it any longer) or reset (all opinions before it are founded anew)';

CREATE TABLE IF NOT EXISTS opinion_epochs (
    epoch    UInt32 COMMENT 'Number of the snapshot: the fold of all events up to it',
    at       DateTime64(3, 'UTC') COMMENT 'When it was published',
    cause    String COMMENT 'rebuild, full or split',
    actor    String COMMENT 'Who',
    founded  UInt32 COMMENT 'Opinions that it added',
    opinions UInt32 COMMENT 'Opinions in it',
    model    String COMMENT 'Models that made it'
) ENGINE = {{replicated}}ReplacingMergeTree(at) ORDER BY epoch
COMMENT 'Published snapshots of the registry of opinions';

CREATE TABLE IF NOT EXISTS leases (
    holder String COMMENT 'One try of one process',
    name   String COMMENT 'What only one may do at a time',
    state  UInt8 COMMENT '1 = held, 2 = given back; the greatest wins',
    until  DateTime64(6, 'UTC') COMMENT 'When it ends by itself'
) ENGINE = {{replicated}}ReplacingMergeTree(state) ORDER BY holder
TTL toDateTime(until) + INTERVAL 1 DAY
COMMENT 'Who holds what, by rows that expire';

CREATE OR REPLACE VIEW opinions (
    opinion_id String COMMENT 'Opinion; merged ones are left out',
    title      String COMMENT 'Title; one given by a person wins',
    aspect     String COMMENT 'Aspect',
    product    String COMMENT 'Product, else empty',
    kind       String COMMENT 'Kind of the mentions it was founded on',
    department String COMMENT 'Department that acts on it',
    status     String COMMENT 'new, accepted, fixed, declined',
    fixed_on   Nullable(Date) COMMENT 'Day it was fixed',
    owner      String COMMENT 'Who takes care of it',
    first_seen Nullable(Date) COMMENT 'Day of its first mention',
    mentions   UInt64 COMMENT 'Mentions',
    sessions   UInt64 COMMENT 'Sessions with a mention',
    customers  UInt64 COMMENT 'Distinct customers; a session without a known customer is one of its own',
    trend      String COMMENT 'By the last day with any mention: new (first seen within 7 days), rising (last 7 days at least 3 and twice the 7 before), fading (at most half of the 7 before), else steady',
    last_seen  Nullable(Date) COMMENT 'Day of its last mention',
    note       String COMMENT 'Last remark',
    answer     String COMMENT 'Approved answer',
    polarity   String COMMENT 'Polarity side: negative (asked, complained, wished) or positive (praised)',
    week        UInt64 COMMENT 'Mentions in the 7 days up to the last day with any mention',
    week_before UInt64 COMMENT 'Mentions in the 7 days before these'
) AS
WITH (SELECT max(day) FROM mentions WHERE opinion_id != '') AS today
SELECT r.opinion_id, title, aspect, product, kind, department, status, fixed_on, owner, first_seen, mentions, sessions, customers,
    multiIf(mentions = 0 OR first_seen IS NULL, '', first_seen > today - 7, 'new', week >= 3 AND week >= 2 * week_before, 'rising', 2 * week <= week_before, 'fading', 'steady') AS trend,
    last_seen, note, answer, polarity, week, week_before
FROM (
    SELECT opinion_id,
        if(countIf(action = 'rename') > 0, argMaxIf(title, event_id, action = 'rename'), argMaxIf(title, event_id, action IN ('found', 'title', 'split'))) AS title,
        argMaxIf(aspect, event_id, aspect != '') AS aspect, argMaxIf(product, event_id, product != '') AS product,
        argMaxIf(kind, event_id, kind != '') AS kind, argMaxIf(polarity, event_id, polarity != '') AS polarity,
        argMaxIf(department, event_id, department != '') AS department,
        if(countIf(status != '') = 0, 'new', argMaxIf(status, event_id, status != '')) AS status,
        argMaxIf(fixed_on, event_id, action = 'status') AS fixed_on, argMaxIf(owner, event_id, owner != '') AS owner,
        argMaxIf(note, event_id, note != '') AS note, argMaxIf(answer, event_id, answer != '') AS answer
    FROM (SELECT event_id, action, opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer FROM opinion_events FINAL WHERE action != 'reset')
    WHERE opinion_id NOT IN (SELECT opinion_id FROM opinion_redirects)
    GROUP BY opinion_id
    HAVING argMaxIf(action, event_id, action IN ('found', 'split', 'retire')) != 'retire'
) AS r
LEFT JOIN (
    SELECT opinion_id, min(day) AS first_seen, max(day) AS last_seen, count() AS mentions, uniqExact(session_id) AS sessions,
        uniqExact(if(customer_id != '', concat('c', customer_id), concat('s', session_id))) AS customers,
        countIf(day > today - 7) AS week, countIf(day > today - 14 AND day <= today - 7) AS week_before
    FROM mentions
    WHERE opinion_id != ''
    GROUP BY opinion_id
) AS m ON m.opinion_id = r.opinion_id;
