package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// tokenPrefix lets people and scanners of leaked secrets recognise a token.
const tokenPrefix = "tingke_"

// Token is what the users file keeps of an API token.
type Token struct {
	Name     string    `json:"name"`
	Hash     string    `json:"-"` // sha256:hex; a token has 256 random bits, so that a slow hash would add nothing
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"` // zero = never
	LastFour string    `json:"last_four"`
}

// NewToken makes an API token. The secret is shown once; the file keeps its hash.
func NewToken(name string, created, expires time.Time) (t Token, secret string, err error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return Token{}, "", err
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	sum := sha256.Sum256([]byte(secret))
	return Token{Name: name, Hash: "sha256:" + hex.EncodeToString(sum[:]), Created: created.UTC().Truncate(time.Second),
		Expires: expires.UTC().Truncate(time.Second), LastFour: secret[len(secret)-4:]}, secret, nil
}

// tokenSum is the key by which tokens are looked up.
type tokenSum [sha256.Size]byte

func parseTokenHash(s string) (tokenSum, error) {
	var sum tokenSum
	text, ok := strings.CutPrefix(s, "sha256:")
	b, err := hex.DecodeString(text)
	if !ok || err != nil || len(b) != len(sum) || strings.ToLower(text) != text {
		return sum, errors.New("is no hash of a token (sha256: and 64 hex digits); `tingke user token NAME` makes tokens")
	}
	return tokenSum(b), nil
}
