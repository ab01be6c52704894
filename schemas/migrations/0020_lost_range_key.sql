-- A topic that is deleted and made again gives its offsets a second time: without the id of the topic, a range lost of the new
-- one was the same row as one lost of the old, and acknowledged where that was. A range of before this column that is reported
-- once more is a second row, not acknowledged: rather said twice than not at all.
ALTER TABLE lost_range_rows ADD COLUMN IF NOT EXISTS topic_id String COMMENT 'Id of the topic that the offsets are of, hex; empty where Kafka tells none and in rows of before this column' AFTER topic,
    MODIFY ORDER BY (topic, partition, offset_from, topic_id);

CREATE OR REPLACE VIEW lost_ranges (
    topic           String COMMENT 'Kafka topic',
    partition       Int32 COMMENT 'Kafka partition',
    offset_from     Int64 COMMENT 'First offset missing',
    offset_to       Int64 COMMENT 'Last offset missing',
    at              DateTime64(3, 'UTC') COMMENT 'When the gap was seen',
    acknowledged    Bool COMMENT 'Whether an operator has acknowledged it',
    acknowledged_by String COMMENT 'Who did',
    topic_id        String COMMENT 'Id of the topic that the offsets are of, hex: one that is deleted and made again has another. Empty where Kafka tells none'
) AS
SELECT topic, partition, offset_from, offset_to, at, acknowledged = 1 AS acknowledged, acknowledged_by, topic_id FROM lost_range_rows FINAL;
