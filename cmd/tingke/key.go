package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const minKeyBytes = 16

// deploymentKey is the key of pseudonyms and identities: TINGKE_KEY, else DIR/key. With create a missing file is made
// (0600); without, a fixed key is used, so that commands without a store leave nothing behind.
func (a *app) deploymentKey(create bool) ([]byte, error) {
	if v := a.getenv("TINGKE_KEY"); v != "" {
		if len(v) < minKeyBytes {
			return nil, usagef("TINGKE_KEY has %d characters, at least %d are needed: try `openssl rand -hex 32`", len(v), minKeyBytes)
		}
		return []byte(v), nil
	}
	path := filepath.Join(a.dir, "key")
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if !create {
		return []byte("tingke without a deployment key"), nil
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, err
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(a.dir, "key-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.WriteString(hex.EncodeToString(b) + "\n"); err != nil {
		return nil, err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	// A hard link fails where another process was first, so all of them end with one key.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot write the deployment key: %w", err)
	}
	return readKey(path)
}

// storeKey is the deployment's key, made if there is none yet, for work that writes to this store.
func (a *app) storeKey(ctx context.Context, s *store) ([]byte, error) {
	key, err := a.deploymentKey(true)
	if err != nil {
		return nil, err
	}
	return key, s.checkKey(ctx, key)
}

// checkKey refuses another key than the one the store was filled with: pseudonyms and identities would no longer match
// and everything sent again would count twice.
func (s *store) checkKey(ctx context.Context, key []byte) error {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fingerprint of the deployment key"))
	mine := hex.EncodeToString(mac.Sum(nil)[:8])
	var stored string
	const query = "SELECT value FROM settings FINAL WHERE name = 'key_fingerprint'"
	err := s.Conn().QueryRow(ctx, query).Scan(&stored)
	if errors.Is(err, sql.ErrNoRows) {
		if err := s.Conn().Exec(ctx, "INSERT INTO settings (name, value) VALUES ('key_fingerprint', '"+mine+"')"); err != nil {
			return err
		}
		err = s.Conn().QueryRow(ctx, query).Scan(&stored)
	}
	if err != nil {
		return fmt.Errorf("cannot check the deployment key: %w", err)
	}
	if stored != mine {
		return usagef("this store was filled with another deployment key (fingerprint %s, yours has %s): set TINGKE_KEY, or restore DIR/key, to the first one", stored, mine)
	}
	return nil
}

func readKey(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSpace(string(b))
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("%s holds %d characters, at least %d are needed; with another key stored pseudonyms no longer match", path, len(key), minKeyBytes)
	}
	return []byte(key), nil
}
