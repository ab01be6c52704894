package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/tingke/tingke/pipeline/intake"
	"github.com/tingke/tingke/pipeline/stream"
)

// keptRawBytes is how much of a dead letter is kept.
const keptRawBytes = 4 << 10

// FileDeadLetter is a bad line of a file: the file's name stands for the topic, the line for the offset. Its time is that
// of nothing but the run, so it is kept for the 30 days from now that dead letters are kept. Raw may be nil where the line
// has no text of its own; mask takes personal data out of a text.
func FileDeadLetter(file string, line int, raw []byte, why error, mask func([]byte) string) stream.DeadLetter {
	if raw == nil {
		raw = fmt.Appendf(nil, "%s:%d", filepath.Base(file), line)
	}
	var placed *intake.Error
	if errors.As(why, &placed) { // the same however the file was reached
		short := *placed
		short.File = filepath.Base(file)
		why = &short
	}
	sum := sha256.Sum256(raw)
	// Masked before it is cut, or half a number at the cut would be kept.
	masked := mask(raw[:min(len(raw), 2*keptRawBytes)])
	if len(masked) > keptRawBytes {
		masked = strings.ToValidUTF8(masked[:keptRawBytes], "")
	}
	return stream.DeadLetter{
		Topic: "file:" + filepath.Base(file), Offset: int64(line), Error: mask([]byte(why.Error())),
		RawMasked: masked, SHA256: hex.EncodeToString(sum[:]), At: time.Now().UTC().Truncate(time.Millisecond),
	}
}
