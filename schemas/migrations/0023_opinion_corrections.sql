-- What people said of an opinion can be taken away again, and a merge undone. Before this column an empty value of an event said
-- nothing, and it still does: what is taken away is named.
ALTER TABLE opinion_events ADD COLUMN IF NOT EXISTS cleared Array(String) COMMENT 'Names of what the event takes away: owner, note, answer' AFTER members;
ALTER TABLE opinion_events MODIFY COLUMN action String COMMENT 'found, title, rename, merge, unmerge (the last merge of the opinion is taken back), split, status, note, retire (no mention can join it any longer) or reset (all opinions before it are founded anew)';
ALTER TABLE opinion_events MODIFY COLUMN target_id String COMMENT 'merge: the opinion it now counts for (every id that pointed here is merged anew); unmerge: the opinion it counted for before and counts for again, empty for itself; split: the opinion it came from';

-- Where a merged opinion counts now. A merge names every id that it moves, and so does an unmerge: one look is enough.
CREATE OR REPLACE VIEW opinion_redirects AS
SELECT opinion_id, last.2 AS target_id
FROM (
    SELECT opinion_id, argMax((action, target_id), event_id) AS last
    FROM opinion_events FINAL
    WHERE action IN ('merge', 'unmerge', 'found', 'split')
    GROUP BY opinion_id
)
WHERE last.1 IN ('merge', 'unmerge') AND last.2 != '';

CREATE OR REPLACE VIEW opinion_heads (
    opinion_id String COMMENT 'As in opinions, like all that follows',
    title      String COMMENT 'Title',
    aspect     String COMMENT 'Aspect',
    product    String COMMENT 'Product',
    kind       String COMMENT 'Kind',
    polarity   String COMMENT 'Polarity side',
    department String COMMENT 'Department',
    status     String COMMENT 'Status',
    fixed_on   Nullable(Date) COMMENT 'Day it was fixed',
    owner      String COMMENT 'Owner',
    note       String COMMENT 'Last remark',
    answer     String COMMENT 'Approved answer'
) AS
SELECT opinion_id,
    if(countIf(action = 'rename') > 0, argMaxIf(title, event_id, action = 'rename'), argMaxIf(title, event_id, action IN ('found', 'title', 'split'))) AS title,
    argMaxIf(aspect, event_id, aspect != '') AS aspect, argMaxIf(product, event_id, product != '') AS product,
    argMaxIf(kind, event_id, kind != '') AS kind, argMaxIf(polarity, event_id, polarity != '') AS polarity,
    argMaxIf(department, event_id, department != '') AS department,
    if(countIf(status != '') = 0, 'new', argMaxIf(status, event_id, status != '')) AS status,
    argMaxIf(fixed_on, event_id, action = 'status') AS fixed_on,
    argMaxIf(owner, event_id, owner != '' OR has(cleared, 'owner')) AS owner,
    argMaxIf(note, event_id, note != '' OR has(cleared, 'note')) AS note,
    argMaxIf(answer, event_id, answer != '' OR has(cleared, 'answer')) AS answer
FROM (SELECT event_id, action, opinion_id, title, aspect, product, kind, polarity, department, status, fixed_on, owner, note, answer, cleared FROM opinion_events FINAL WHERE action != 'reset')
WHERE opinion_id NOT IN (SELECT opinion_id FROM opinion_redirects)
GROUP BY opinion_id
HAVING argMaxIf(action, event_id, action IN ('found', 'split', 'retire')) != 'retire';

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
FROM opinion_heads AS r
LEFT JOIN (
    SELECT opinion_id, min(day) AS first_seen, max(day) AS last_seen, count() AS mentions, uniqExact(session_id) AS sessions,
        uniqExact(if(customer_id != '', concat('c', customer_id), concat('s', session_id))) AS customers,
        countIf(day > today - 7) AS week, countIf(day > today - 14 AND day <= today - 7) AS week_before
    FROM mentions
    WHERE opinion_id != ''
    GROUP BY opinion_id
) AS m ON m.opinion_id = r.opinion_id;
