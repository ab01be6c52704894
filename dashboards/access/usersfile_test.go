package access

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const goodHash = "$argon2id$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"

var goodSum = "sha256:" + strings.Repeat("0a", 32)

func TestDecodeUsers(t *testing.T) {
	got, err := DecodeUsers("users.yaml", []byte(`# people
users:
  - user: li
    name: 李
    role: supervisor
    teams: [售后一组, 007]
    password: `+goodHash+`
    tokens:
      - {name: bi, hash: "`+goodSum+`", created: 2026-05-01T00:00:00Z, expires: 2027-05-01T08:00:00+08:00, last_four: abcd}
  - user: a.1@x
    role: agent
    agent_id: "17"
    disabled: true
`))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := parseHash(goodHash)
	if err != nil {
		t.Fatal(err)
	}
	want := []User{
		{User: "li", Name: "李", Role: Supervisor, Teams: []string{"售后一组", "007"}, Password: goodHash, hash: hash, Tokens: []Token{{
			Name: "bi", Hash: goodSum, Created: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC), LastFour: "abcd"}}},
		{User: "a.1@x", Role: Agent, AgentID: "17", Disabled: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	text, err := EncodeUsers(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := DecodeUsers("users.yaml", text); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("written and read again: %+v %v\n%s", again, err, text)
	}
	for _, empty := range []string{"", "# nobody\n", "users:\n", "users: []\n", "---\n"} {
		if got, err := DecodeUsers("users.yaml", []byte(empty)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v %v", empty, got, err)
		}
	}
}

func TestDecodeUsersErrors(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		users, err := DecodeUsers("u.yaml", []byte(text))
		if err == nil || users != nil {
			t.Errorf("%q: decoded to %v", text, users)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v\nwant %s", text, err, w)
			}
		}
	}
	one := func(lines string) string {
		return "users:\n  - user: li\n    role: analyst\n" + lines
	}
	f("users: [", "u.yaml:1: ")
	f("user: []\n", `u.yaml:1: "user" is no key of the file; these are: users`)
	f("users: 3\n", "u.yaml:1: users is no list")
	f("- li\n", "u.yaml:1: the file is a list of keys and values")
	f("users:\n  - li\n", "u.yaml:2: a user is a list of keys and values")
	f("users:\n  - name: x\n", "u.yaml:2: user is missing", "u.yaml:2: role is missing")
	f(one("    rolle: x\n"), `u.yaml:4: "rolle" is no key of a user`)
	f(one("    role: admin\n"), "u.yaml:4: role twice")
	f("users:\n  - user: li\n    role: king\n    disabled: maybe\n", `u.yaml:3: role "king" is unknown, one of admin, supervisor, product, analyst, agent`, "u.yaml:4: disabled is true or false")
	f("users:\n  - user: Li Wang\n    role: admin\n", `u.yaml:2: user "Li Wang"`)
	f("users:\n  - user: -li\n    role: admin\n", `u.yaml:2: user "-li"`)
	f(one("")+"  - user: li\n    role: admin\n", `u.yaml:4: user "li" stands on line 2 already`)
	f("users:\n  - user: a\n    role: agent\n", "u.yaml:2: role agent needs agent_id")
	f(one("    agent_id: a1\n"), "u.yaml:4: agent_id is for role agent only")
	f("users:\n  - user: a\n    role: admin\n    teams: [x]\n", "u.yaml:4: an admin sees all teams")
	f(one("    teams: x\n"), "u.yaml:4: teams is no list")
	f(one("    teams: [x, '']\n"), "u.yaml:4: a team without a name")
	f(one("    teams: [x, x]\n"), `u.yaml:4: team "x" twice`)
	f(one("    teams: [true]\n"), "u.yaml:4: a team is true, not a text")
	f(one("    name: 'a\\nb'\n    password: plain text\n"), "u.yaml:5: password is no Argon2id hash")
	f(one("    name: \"a\\nb\"\n"), "u.yaml:4: name")
	f(one("    name: \"a\\u202eb\"\n"), "u.yaml:4: name")
	f(one("    password: $argon2id$v=19$m=64,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n"), "u.yaml:4: password has the parameters")
	f(one("    password: $argon2id$v=19$m=99999999,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n"), "u.yaml:4: password has the parameters")
	f(one("    password: $argon2i$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\n"), "u.yaml:4: password is no Argon2id hash")
	f(one("    tokens: [{name: x}]\n"), "u.yaml:4: a token needs name and hash")
	f(one("    tokens: [{name: x, hash: 'sha256:00'}]\n"), "u.yaml:4: hash is no hash of a token")
	f(one("    tokens: [{name: x, hash: '"+goodSum+"', expires: tomorrow}]\n"), `u.yaml:4: expires "tomorrow" is no time`)
	f(one("    tokens: [{name: x, hash: '"+goodSum+"'}, {name: y, hash: '"+goodSum+"'}]\n"), `token "y" of user "li" is the same as one of user "li"`)
	f(one("    name: &x a\n")+"  - user: b\n    role: analyst\n    name: *x\n", "u.yaml:7: name is no text")
	f(one("    <<: {disabled: true}\n"), `u.yaml:4: "<<" is no key of a user`)
	f(one("")+"---\nusers: []\n", "a second document")
	f(strings.Repeat(" ", maxUsersFile+1), "u.yaml: is larger than 4 MiB")
	f("users:\n"+strings.Repeat("  - x\n", maxUsers+1), "users, at most 10000")
	f("users: \xff", "u.yaml:")
}

func FuzzDecodeUsers(f *testing.F) {
	f.Add("users:\n  - user: li\n    role: admin\n    password: " + goodHash + "\n    tokens:\n      - {name: bi, hash: \"" + goodSum + "\", created: 2026-05-01T00:00:00Z}\n")
	f.Add("users:\n  - {user: a, role: agent, agent_id: '1', teams: [b], disabled: true, name: \"\\u4e00\"}\n")
	f.Add("users: &a [*a]\n")
	f.Add("a: &a [x]\nusers: [{<<: *a}]\n")
	f.Add("%YAML 1.1\n---\nusers: !!set {? {user: a}}\n")
	f.Add("users:\n- user: ''\n  role: ~\n  teams: [~, [x], {y: z}]\n  tokens: [~]\n  disabled: !!str true\n")
	f.Fuzz(func(t *testing.T, text string) {
		users, err := DecodeUsers("u.yaml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "u.yaml:") {
				t.Errorf("an error without its place: %v", err)
			}
			return
		}
		for _, u := range users {
			if u.Role == Agent && u.AgentID == "" || u.User == "" {
				t.Errorf("accepted %+v", u)
			}
		}
		out, err := EncodeUsers(users)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeUsers("u.yaml", out)
		if err != nil || len(again) != len(users) {
			t.Fatalf("written and read again: %v\n%s", err, out)
		}
		if c := newUserSet(users).changes(newUserSet(again)); c != nil {
			t.Errorf("written and read again, changed: %v\n%s", c, out)
		}
	})
}

func TestUsersFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no mode bits here")
	}
	path := filepath.Join(t.TempDir(), "new", "users.yaml")
	if err := EditUsers(path, func([]User) ([]User, error) { return []User{{User: "li", Role: Admin}}, nil }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenUsers(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err := EditUsers(path, func(u []User) ([]User, error) { return u, nil }); err == nil {
			t.Errorf("mode %04o: edited", mode)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUsers(path, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}

func TestEditUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	var all sync.WaitGroup
	for i := range 20 { // nobody's change is lost
		all.Go(func() {
			if err := EditUsers(path, func(u []User) ([]User, error) {
				return append(u, User{User: fmt.Sprint("u", i), Role: Analyst}), nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	users, err := ReadUsers(path)
	if err != nil || len(users) != 20 {
		t.Errorf("%d users, %v", len(users), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := EditUsers(path, func(u []User) ([]User, error) { return append(u, u[0]), nil }); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("the same user twice: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("a refused edit changed the file: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 { // the file and its lock
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// TestChangesWithinOneTickAreSeen writes files of one size and one time: a clock that is too coarse to tell them apart.
func TestChangesWithinOneTickAreSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	at := time.Now().Add(time.Minute) // so that the test may be slow
	write := func(role Role) {
		t.Helper()
		if err := os.WriteFile(path, []byte("users:\n  - {user: li, role: "+string(role)+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(Product)
	u, err := OpenUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		want := []Role{Analyst, Product}[i%2]
		write(want)
		if got, _ := u.Lookup("li"); got.Role != want {
			t.Fatalf("change %d: role %s, want %s", i, got.Role, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	text, err := HashPassword("päßwörter 密码")
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHash(text)
	if err != nil || h.String() != text {
		t.Fatalf("%v %s", err, text)
	}
	if !h.matches("päßwörter 密码") || h.matches("päßwörter 密马") || h.matches("") {
		t.Error("the hash does not tell its password from others")
	}
	if other, err := HashPassword("päßwörter 密码"); err != nil || other == text {
		t.Errorf("no salt of its own: %v", err)
	}
	for _, p := range []string{"", "short", "123456789", strings.Repeat("x", MaxPassword+1), "two\nlines of text", "nul\x00 in the text", "bad \xff utf-8"} {
		if _, err := HashPassword(p); err == nil {
			t.Errorf("%q is accepted", p)
		}
	}
	if a, b := NewPassword(), NewPassword(); a == b || len(a) != 23 {
		t.Errorf("%q %q", a, b)
	}
}

func TestActiveUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := EditUsers(path, func([]User) ([]User, error) {
		return []User{{User: "wang", Role: Analyst}, {User: "li", Name: "李", Role: Supervisor, Teams: []string{"A"}}, {User: "out", Role: Admin, Disabled: true}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	u, err := OpenUsers(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := []Identity{{User: "li", Name: "李", Role: Supervisor, Teams: []string{"A"}}, {User: "wang", Name: "wang", Role: Analyst}}
	if got := u.Active(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if id, ok := u.Identity("li"); !ok || !reflect.DeepEqual(id, want[0]) {
		t.Errorf("li: %+v %v", id, ok)
	}
	for _, name := range []string{"out", "nobody", ""} {
		if id, ok := u.Identity(name); ok {
			t.Errorf("%q: %+v", name, id)
		}
	}
}
