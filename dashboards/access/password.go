package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Parameters of new password hashes: those that OWASP's password storage cheat sheet names first for Argon2id.
const (
	hashMemory  = 19 << 10 // KiB
	hashTime    = 2
	hashThreads = 1
	saltBytes   = 16
	keyBytes    = 32
)

// Bounds of a hash in the file: below them it protects nothing, above them one log-in stops the server.
const (
	minHashMemory, maxHashMemory   = 8 << 10, 256 << 10 // KiB
	minHashTime, maxHashTime       = 1, 16
	minHashThreads, maxHashThreads = 1, 16
)

// Bounds of a password.
const (
	MinPassword = 10   // characters
	MaxPassword = 1024 // bytes
)

// passwordHash is an Argon2id hash in the usual text form, $argon2id$v=19$m=19456,t=2,p=1$salt$key.
type passwordHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// HashPassword makes the text that the users file keeps of a password, with a salt of its own.
func HashPassword(password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return "", fmt.Errorf("a password needs at least %d characters", MinPassword)
	case len(password) > MaxPassword:
		return "", fmt.Errorf("a password has at most %d bytes", MaxPassword)
	case !utf8.ValidString(password) || strings.ContainsAny(password, "\x00\r\n"):
		return "", errors.New("a password is one line of text")
	}
	h := newHash()
	if _, err := rand.Read(h.salt); err != nil {
		return "", err
	}
	h.key = h.derive(password, keyBytes)
	return h.String(), nil
}

// newHash has the parameters of new hashes; its salt and key are to be filled.
func newHash() *passwordHash {
	return &passwordHash{memory: hashMemory, time: hashTime, threads: hashThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
}

func (h *passwordHash) derive(password string, n int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(n))
}

func (h *passwordHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}

func (h *passwordHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

// parseHash reads the text form, strictly.
func parseHash(s string) (*passwordHash, error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return nil, errors.New("is no Argon2id hash ($argon2id$v=19$m=...,t=...,p=...$salt$key); `tingke user password NAME` writes one")
	}
	if part[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, fmt.Errorf("is a hash of version %q, not v=%d", clip(part[2], 20), argon2.Version)
	}
	var values [3]uint64
	settings := strings.Split(part[3], ",")
	for i, name := range []string{"m=", "t=", "p="} {
		var text string
		ok := len(settings) == len(values)
		if ok {
			text, ok = strings.CutPrefix(settings[i], name)
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || strconv.FormatUint(n, 10) != text {
			return nil, fmt.Errorf("has the parameters %q, not m=,t=,p= with a number each", clip(part[3], 40))
		}
		values[i] = n
	}
	in := func(n, low, high uint64) bool { return n >= low && n <= high }
	if !in(values[0], minHashMemory, maxHashMemory) || !in(values[1], minHashTime, maxHashTime) || !in(values[2], minHashThreads, maxHashThreads) {
		return nil, fmt.Errorf("has the parameters %s; allowed are m (KiB) from %d to %d, t from %d to %d, p from %d to %d",
			part[3], minHashMemory, maxHashMemory, minHashTime, maxHashTime, minHashThreads, maxHashThreads)
	}
	h := &passwordHash{memory: uint32(values[0]), time: uint32(values[1]), threads: uint8(values[2])}
	var err error
	b64 := base64.RawStdEncoding.Strict()
	if h.salt, err = b64.DecodeString(part[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return nil, errors.New("has a salt that is not 8 to 64 bytes of base64")
	}
	if h.key, err = b64.DecodeString(part[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return nil, errors.New("has a key that is not 16 to 64 bytes of base64")
	}
	return h, nil
}

// NewPassword makes a password of 100 random bits, in groups that a person can read out.
func NewPassword() string {
	s := strings.ToLower(rand.Text())
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:20]
}

// errBusy is the answer while too many people wait for their log-in.
var errBusy = errors.New("too many log-ins at once")

// checker checks passwords, few at a time: each takes hashMemory and some 20 ms of a core.
type checker struct {
	slots   chan struct{}
	waiting chan struct{}
	unknown *passwordHash // checked where there is no such user, so that this takes as long
	checked atomic.Int64  // hashes made so far
}

func newChecker() (*checker, error) {
	c := &checker{slots: make(chan struct{}, 2), waiting: make(chan struct{}, 64)}
	c.unknown = newHash()
	if _, err := rand.Read(c.unknown.key); err != nil {
		return nil, err
	}
	return c, nil
}

// check says whether password is the one of h; nil is nobody's and takes as long.
func (c *checker) check(ctx context.Context, h *passwordHash, password string) (bool, error) {
	select {
	case c.waiting <- struct{}{}:
		defer func() { <-c.waiting }()
	default:
		return false, errBusy
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	hash := h
	if hash == nil {
		hash = c.unknown
	}
	ok := hash.matches(password)
	c.checked.Add(1)
	return ok && h != nil, nil
}

// clip shortens a text to n characters, for messages.
func clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
