package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Users are the users of a file, read again when it changes. It is safe for concurrent use.
type Users struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	stamp   fileStamp
	sum     [sha256.Size]byte // of the text that was read last, good or not
	good    *userSet          // what is in use
	problem error             // why the file is not what is in use; nil when it is
	changed []UserChange      // since Changes was last called
}

// userSet is one state of the file. It does not change.
type userSet struct {
	byName  map[string]*User
	byToken map[tokenSum]tokenOwner
}

type tokenOwner struct {
	user  *User
	token *Token
}

// UserChange is what a changed file did to one user.
type UserChange struct {
	User string   `json:"-"`
	What []string `json:"what"` // added, removed, or the keys that changed
}

// fileStamp changes with the file. A file that changed a moment ago is read again all the same: a clock may be too coarse
// to tell two changes apart.
type fileStamp struct {
	mod  time.Time
	size int64
	info fs.FileInfo
	at   time.Time // of the look
	err  string
}

const coarseClock = 2 * time.Second

func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{err: err.Error(), at: time.Now()}
	}
	return fileStamp{mod: info.ModTime(), size: info.Size(), info: info, at: time.Now()}
}

// same says whether nothing can have changed between two looks.
func (s fileStamp) same(t fileStamp) bool {
	if s.err != "" || t.err != "" {
		return s.err == t.err
	}
	return s.mod.Equal(t.mod) && s.size == t.size && os.SameFile(s.info, t.info) && s.info.Mode() == t.info.Mode() && s.at.Sub(s.mod) > coarseClock
}

// OpenUsers reads the users of path. There may be none yet: then nobody can log in until the file is made. A broken file
// is an error here, because there is no good one to keep.
func OpenUsers(path string, log *slog.Logger) (*Users, error) {
	if log == nil {
		log = slog.Default()
	}
	u := &Users{path: path, log: log, good: &userSet{}}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reload(stampOf(path))
	u.changed = nil
	if u.problem != nil && !errors.Is(u.problem, fs.ErrNotExist) {
		return nil, u.problem
	}
	return u, nil
}

// Path is the file.
func (u *Users) Path() string { return u.path }

// current is what is in use, after a look whether the file changed: a user who was disabled is out with the next request.
func (u *Users) current() *userSet {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := stampOf(u.path); !u.stamp.same(now) {
		u.reload(now)
	}
	return u.good
}

func (u *Users) reload(stamp fileStamp) {
	text, err := readUsersFile(u.path)
	u.stamp = stamp
	if err == nil {
		sum := sha256.Sum256(text)
		if sum == u.sum && u.problem == nil {
			return
		}
		u.sum = sum
		var users []User
		if users, err = DecodeUsers(u.path, text); err == nil {
			next := newUserSet(users)
			changes := u.good.changes(next)
			u.changed = append(u.changed, changes...)
			u.good, u.problem = next, nil
			u.log.Info("users read", "file", u.path, "users", len(users), "changed", len(changes))
			return
		}
	}
	if errors.Is(err, fs.ErrNotExist) && len(u.good.byName) == 0 {
		u.problem = err
		return
	}
	if u.problem == nil || u.problem.Error() != err.Error() {
		u.log.Error("the users file is not used, the users before stay", "error", err)
	}
	u.problem = err
}

// Problem says why the file is not what is in use, nil when it is. Before there is a file it is nil too.
func (u *Users) Problem() error {
	u.current()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.problem != nil && len(u.good.byName) == 0 && errors.Is(u.problem, fs.ErrNotExist) {
		return nil
	}
	return u.problem
}

// Empty says whether there is nobody who could log in.
func (u *Users) Empty() bool { return len(u.current().byName) == 0 }

// Len is the number of users in use.
func (u *Users) Len() int { return len(u.current().byName) }

// Lookup gives a user, disabled ones too. The result must not be changed.
func (u *Users) Lookup(name string) (*User, bool) {
	user, ok := u.current().byName[name]
	return user, ok
}

// Identity gives an active user as requests know it, false for one who is disabled or unknown.
func (u *Users) Identity(name string) (Identity, bool) {
	user, ok := u.Lookup(name)
	if !ok || user.Disabled {
		return Identity{}, false
	}
	return user.identity(SeesOwn, false), true
}

// Active are the active users, by name.
func (u *Users) Active() []Identity {
	var out []Identity
	for _, user := range u.current().byName {
		if !user.Disabled {
			out = append(out, user.identity(SeesOwn, false))
		}
	}
	slices.SortFunc(out, func(a, b Identity) int { return strings.Compare(a.User, b.User) })
	return out
}

// Changes are the changes of users that reloads found since the last call, for the audit log.
func (u *Users) Changes() []UserChange {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.changed
	u.changed = nil
	return c
}

func newUserSet(users []User) *userSet {
	s := &userSet{byName: make(map[string]*User, len(users)), byToken: map[tokenSum]tokenOwner{}}
	for i := range users {
		u := &users[i]
		s.byName[u.User] = u
		for k := range u.Tokens {
			sum, err := parseTokenHash(u.Tokens[k].Hash)
			if err != nil {
				panic("access: a decoded token has a hash: " + err.Error())
			}
			s.byToken[sum] = tokenOwner{u, &u.Tokens[k]}
		}
	}
	return s
}

// changes says what is different in next, by user.
func (s *userSet) changes(next *userSet) []UserChange {
	var out []UserChange
	for name, now := range next.byName {
		was, ok := s.byName[name]
		if !ok {
			out = append(out, UserChange{name, []string{"added", string(now.Role)}})
			continue
		}
		var what []string
		for _, f := range []struct {
			key      string
			was, now any
		}{
			{"name", was.Name, now.Name}, {"role", was.Role, now.Role}, {"teams", was.Teams, now.Teams}, {"agent_id", was.AgentID, now.AgentID},
			{"password", was.Password, now.Password}, {"disabled", was.Disabled, now.Disabled}, {"tokens", tokenKeysOf(was), tokenKeysOf(now)},
		} {
			if !reflect.DeepEqual(f.was, f.now) {
				what = append(what, f.key)
			}
		}
		if what != nil {
			out = append(out, UserChange{name, what})
		}
	}
	for name := range s.byName {
		if _, ok := next.byName[name]; !ok {
			out = append(out, UserChange{name, []string{"removed"}})
		}
	}
	slices.SortFunc(out, func(a, b UserChange) int { return strings.Compare(a.User, b.User) })
	return out
}

func tokenKeysOf(u *User) string {
	var b strings.Builder
	for _, t := range u.Tokens {
		fmt.Fprintf(&b, "%s %s %s\n", t.Name, t.Hash, t.Expires)
	}
	return b.String()
}

// identity is the user as requests know it.
func (u *User) identity(sees Sees, token bool) Identity {
	id := Identity{User: u.User, Name: u.Name, Role: u.Role, Teams: u.Teams, AgentID: u.AgentID, Token: token}
	if id.Name == "" {
		id.Name = u.User
	}
	if id.Role == Agent {
		id.Sees = sees
	}
	return id
}

// fingerprint changes with the password: sessions that were begun with another one end.
func (u *User) fingerprint() string {
	sum := sha256.Sum256([]byte(u.User + "\x00" + u.Password))
	return string(sum[:16])
}
