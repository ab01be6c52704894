package intake

// ColumnMap says what the columns of a table mean.
type ColumnMap struct{}
