-- Searches that people keep, of their own or for everybody. A row is replaced by a later one of its id.
CREATE TABLE IF NOT EXISTS saved_searches (
    search_id String COMMENT 'Search',
    owner     String COMMENT 'User who saved it',
    name      String COMMENT 'What it is called',
    target    LowCardinality(String) COMMENT 'What is searched: turns or sessions',
    query     String COMMENT 'Filters, encoded as in an address',
    shared    Bool COMMENT 'Whether others see it too',
    deleted   Bool COMMENT 'Whether it was taken away',
    at        DateTime64(6, 'UTC') COMMENT 'When it was saved or taken away; the latest row counts'
) ENGINE = {{replicated}}ReplacingMergeTree(at) ORDER BY search_id
COMMENT 'Searches that people keep';
