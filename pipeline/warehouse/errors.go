package warehouse

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/ClickHouse/clickhouse-go/v2"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/tingke/tingke/pipeline/warehouse/engine"
)

// transientCodes are the ClickHouse errors that pass by themselves or once an operator has made room.
var transientCodes = map[int]bool{
	3:    true, // UNEXPECTED_END_OF_FILE
	32:   true, // ATTEMPT_TO_READ_AFTER_EOF
	74:   true, // CANNOT_READ_FROM_FILE_DESCRIPTOR
	75:   true, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
	76:   true, // CANNOT_OPEN_FILE
	159:  true, // TIMEOUT_EXCEEDED
	160:  true, // TOO_SLOW
	173:  true, // CANNOT_ALLOCATE_MEMORY
	198:  true, // DNS_ERROR
	202:  true, // TOO_MANY_SIMULTANEOUS_QUERIES
	203:  true, // NO_FREE_CONNECTION
	209:  true, // SOCKET_TIMEOUT
	210:  true, // NETWORK_ERROR
	225:  true, // NO_ZOOKEEPER
	236:  true, // ABORTED
	241:  true, // MEMORY_LIMIT_EXCEEDED
	242:  true, // TABLE_IS_READ_ONLY
	243:  true, // NOT_ENOUGH_SPACE
	252:  true, // TOO_MANY_PARTS
	254:  true, // NO_ACTIVE_REPLICAS
	279:  true, // ALL_CONNECTION_TRIES_FAILED
	285:  true, // TOO_FEW_LIVE_REPLICAS
	286:  true, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
	289:  true, // REPLICA_IS_NOT_IN_QUORUM
	319:  true, // UNKNOWN_STATUS_OF_INSERT
	369:  true, // ALL_REPLICAS_ARE_STALE
	394:  true, // QUERY_WAS_CANCELLED
	425:  true, // SYSTEM_ERROR
	439:  true, // CANNOT_SCHEDULE_TASK
	473:  true, // DEADLOCK_AVOIDED
	499:  true, // S3_ERROR
	999:  true, // KEEPER_EXCEPTION
	1001: true, // STD_EXCEPTION, such as a full disk
}

// IsTransient says whether an error of the warehouse may pass when the same is done again later: the network, a full
// disk, memory, too many parts, a lost quorum, an engine that is changing hands. Wrong SQL, refused values, missing
// rights and the end of the caller's context are not.
func IsTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if code := ErrorCode(err); code != 0 {
		return transientCodes[code]
	}
	var conversion *chcolumn.ColumnConverterError
	var value *chcolumn.Error
	if errors.As(err, &conversion) || errors.As(err, &value) || errors.Is(err, clickhouse.ErrBatchInvalid) {
		return false
	}
	var network net.Error
	switch {
	case errors.Is(err, engine.ErrGone), errors.Is(err, clickhouse.ErrAcquireConnTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return true
	}
	var status *clickhouse.HTTPError
	return errors.As(err, &status) && status.StatusCode >= 500
}

// ErrorCode gives the ClickHouse error code of an error, 0 where it has none.
func ErrorCode(err error) int {
	var server *clickhouse.Exception
	if errors.As(err, &server) {
		return int(server.Code)
	}
	var embedded *engine.Exception
	if errors.As(err, &embedded) {
		return embedded.Code
	}
	return 0
}
