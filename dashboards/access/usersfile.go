package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// User is one user of the users file.
type User struct {
	User     string   `json:"user"`
	Name     string   `json:"name,omitempty"` // to show
	Role     Role     `json:"role"`
	Teams    []string `json:"teams,omitempty"`
	AgentID  string   `json:"agent_id,omitempty"`
	Password string   `json:"-"` // Argon2id hash, "" = no log-in, tokens only
	Disabled bool     `json:"disabled"`
	Tokens   []Token  `json:"tokens,omitempty"`

	hash *passwordHash
}

// Bounds of a users file.
const (
	maxUsersFile = 4 << 20 // bytes
	maxUsers     = 10_000
	maxTokens    = 100 // of one user
	maxTeams     = 1000
	maxNameRunes = 64
)

// fileHeader stands on top of a users file that a command wrote.
const fileHeader = `# Users of the web pages and the API. Reloaded when it changes; a broken file is refused and the one before stays.
# The commands "tingke user ..." rewrite this file without comments; keep it readable for its owner only (0600).
`

// userKeys are the keys of a user, in the order they are written.
var userKeys = []string{"user", "name", "role", "teams", "agent_id", "password", "disabled", "tokens"}

var tokenKeys = []string{"name", "hash", "created", "expires", "last_four"}

// DecodeUsers reads the text of a users file; name is what errors call it. All errors are told at once, each as
// name:line: what is wrong.
func DecodeUsers(name string, text []byte) ([]User, error) {
	d := &userDecoder{name: name}
	if len(text) > maxUsersFile {
		return nil, fmt.Errorf("%s: is larger than %d MiB", name, maxUsersFile>>20)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, d.yamlError(err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return nil, fmt.Errorf("%s:%d: a second document; a users file is one", name, more.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, d.yamlError(err)
	}
	users := d.file(&doc)
	if len(d.errs) > 0 {
		return nil, errors.Join(d.errs...)
	}
	return users, nil
}

// userDecoder walks over the nodes of the file and collects errors. It follows no aliases.
type userDecoder struct {
	name string
	errs []error
}

// yamlError gives an error of the YAML parser, "yaml: line 3: ...", the form of the others.
func (d *userDecoder) yamlError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		if line, what, ok := strings.Cut(rest, ": "); ok {
			return fmt.Errorf("%s:%s: %s", d.name, line, what)
		}
	}
	return fmt.Errorf("%s: %s", d.name, text)
}

const maxUserErrors = 50

func (d *userDecoder) bad(n *yaml.Node, format string, args ...any) {
	if len(d.errs) < maxUserErrors {
		d.errs = append(d.errs, fmt.Errorf("%s:%d: %s", d.name, n.Line, fmt.Sprintf(format, args...)))
	}
}

func (d *userDecoder) file(doc *yaml.Node) []User {
	if len(doc.Content) != 1 || isNull(doc.Content[0]) {
		return nil
	}
	var users []User
	d.mapping(doc.Content[0], "the file", []string{"users"}, func(_ string, _, v *yaml.Node) {
		if isNull(v) {
			return
		}
		if v.Kind != yaml.SequenceNode {
			d.bad(v, "users is no list")
			return
		}
		if len(v.Content) > maxUsers {
			d.bad(v, "%d users, at most %d", len(v.Content), maxUsers)
			return
		}
		lines, sums := map[string]int{}, map[string]string{}
		for _, n := range v.Content {
			u := d.user(n)
			if first, ok := lines[u.User]; ok && u.User != "" {
				d.bad(n, "user %q stands on line %d already", u.User, first)
			}
			lines[u.User] = n.Line
			for _, t := range u.Tokens {
				if owner, ok := sums[t.Hash]; ok {
					d.bad(n, "token %q of user %q is the same as one of user %q", t.Name, u.User, owner)
				}
				sums[t.Hash] = u.User
			}
			users = append(users, u)
		}
	})
	return users
}

func (d *userDecoder) user(n *yaml.Node) User {
	var u User
	at := map[string]*yaml.Node{}
	if !d.mapping(n, "a user", userKeys, func(key string, k, v *yaml.Node) {
		at[key] = v
		switch key {
		case "user":
			if u.User = d.text(v, key); !validUser(u.User) {
				d.bad(v, "user %q: a name to log in with has 1 to %d of a-z 0-9 . _ @ - and begins with a letter or digit", clip(u.User, 80), maxNameRunes)
				u.User = ""
			}
		case "name":
			u.Name = d.label(v, key)
		case "role":
			if u.Role = Role(d.text(v, key)); !slices.Contains(Roles, u.Role) {
				d.bad(v, "role %q is unknown, one of %s", clip(string(u.Role), 40), joinRoles())
			}
		case "teams":
			u.Teams = d.teams(v)
		case "agent_id":
			u.AgentID = d.label(v, key)
		case "password":
			if u.Password = d.text(v, key); u.Password == "" {
				return
			}
			var err error
			if u.hash, err = parseHash(u.Password); err != nil {
				d.bad(v, "password %v", err)
			}
		case "disabled":
			if err := v.Decode(&u.Disabled); err != nil || v.Kind != yaml.ScalarNode || v.Tag != "!!bool" {
				d.bad(v, "disabled is true or false")
			}
		case "tokens":
			u.Tokens = d.tokens(v)
		}
	}) {
		return u
	}
	for _, key := range []string{"user", "role"} {
		if at[key] == nil {
			d.bad(n, "%s is missing", key)
		}
	}
	switch {
	case u.Role == Agent && u.AgentID == "":
		d.bad(n, "role agent needs agent_id: whose sessions these are")
	case u.Role != Agent && u.AgentID != "":
		d.bad(at["agent_id"], "agent_id is for role agent only")
	case u.Role == Admin && len(u.Teams) > 0:
		d.bad(at["teams"], "an admin sees all teams; give the role supervisor to limit them")
	}
	return u
}

func (d *userDecoder) teams(v *yaml.Node) []string {
	if isNull(v) {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		d.bad(v, "teams is no list; write for instance [after-sales 1]")
		return nil
	}
	if len(v.Content) > maxTeams {
		d.bad(v, "%d teams, at most %d", len(v.Content), maxTeams)
		return nil
	}
	var out []string
	for _, n := range v.Content {
		t := d.label(n, "a team")
		switch {
		case t == "":
			d.bad(n, "a team without a name") // would open the sessions that have no team
		case slices.Contains(out, t):
			d.bad(n, "team %q twice", t)
		}
		out = append(out, t)
	}
	return out
}

func (d *userDecoder) tokens(v *yaml.Node) []Token {
	if isNull(v) {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		d.bad(v, "tokens is no list")
		return nil
	}
	if len(v.Content) > maxTokens {
		d.bad(v, "%d tokens, at most %d a user", len(v.Content), maxTokens)
		return nil
	}
	var out []Token
	for _, n := range v.Content {
		var t Token
		ok := d.mapping(n, "a token", tokenKeys, func(key string, k, v *yaml.Node) {
			switch key {
			case "name":
				t.Name = d.label(v, "name of a token")
			case "hash":
				if _, err := parseTokenHash(d.text(v, key)); err != nil {
					d.bad(v, "hash %v", err)
				}
				t.Hash = v.Value
			case "created":
				t.Created = d.time(v, key)
			case "expires":
				if !isNull(v) {
					t.Expires = d.time(v, key)
				}
			case "last_four":
				t.LastFour = d.label(v, key)
			}
		})
		if !ok {
			continue
		}
		if t.Name == "" || t.Hash == "" {
			d.bad(n, "a token needs name and hash")
		}
		if slices.ContainsFunc(out, func(o Token) bool { return o.Name == t.Name }) {
			d.bad(n, "token %q twice", t.Name)
		}
		out = append(out, t)
	}
	return out
}

// mapping calls each with the values of the known keys; other and repeated ones are errors. False where n is no mapping.
func (d *userDecoder) mapping(n *yaml.Node, what string, keys []string, each func(key string, k, v *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		d.bad(n, "%s is a list of keys and values: %s", what, strings.Join(keys, ", "))
		return false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || !slices.Contains(keys, k.Value):
			d.bad(k, "%q is no key of %s; these are: %s", clip(k.Value, 60), what, strings.Join(keys, ", "))
		case seen[k.Value]:
			d.bad(k, "%s twice", k.Value)
		default:
			seen[k.Value] = true
			each(k.Value, k, v)
		}
	}
	return true
}

// text is a value that must be a text, "" for null.
func (d *userDecoder) text(v *yaml.Node, what string) string {
	if isNull(v) {
		return ""
	}
	if v.Kind != yaml.ScalarNode {
		d.bad(v, "%s is no text", what)
		return ""
	}
	if v.Tag == "!!bool" || v.Tag == "!!binary" { // off, no, yes: somebody's team, or a slip
		d.bad(v, "%s is %s, not a text; quote it if it is meant", what, v.Value)
		return ""
	}
	return v.Value
}

// label is a short text to show, on one line.
func (d *userDecoder) label(v *yaml.Node, what string) string {
	s := d.text(v, what)
	if err := checkLabel(s); err != nil {
		d.bad(v, "%s %v", what, err)
		return ""
	}
	return s
}

func (d *userDecoder) time(v *yaml.Node, what string) time.Time {
	t, err := time.Parse(time.RFC3339, d.text(v, what))
	if err != nil || t.IsZero() {
		d.bad(v, "%s %q is no time, write for instance 2026-05-01T00:00:00Z", what, clip(v.Value, 40))
		return time.Time{}
	}
	return t.UTC()
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func validUser(s string) bool {
	if s == "" || len(s) > maxNameRunes || strings.ContainsRune("._@-", rune(s[0])) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r))
	}) < 0
}

func checkLabel(s string) error {
	if utf8.RuneCountInString(s) > maxNameRunes {
		return fmt.Errorf("has more than %d characters", maxNameRunes)
	}
	if !utf8.ValidString(s) || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("%q has blanks around it, or characters that cannot be seen", s)
	}
	return nil
}

// ValidLabel says whether a text can be the name, team or agent id of a user: short, and nothing in it that cannot be seen.
func ValidLabel(s string) bool { return checkLabel(s) == nil }

func joinRoles() string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// EncodeUsers is the text of a users file.
func EncodeUsers(users []User) ([]byte, error) {
	type token struct {
		Name     string `yaml:"name"`
		Hash     string `yaml:"hash"`
		Created  string `yaml:"created,omitempty"`
		Expires  string `yaml:"expires,omitempty"`
		LastFour string `yaml:"last_four,omitempty"`
	}
	type user struct {
		User     string   `yaml:"user"`
		Name     string   `yaml:"name,omitempty"`
		Role     Role     `yaml:"role"`
		Teams    []string `yaml:"teams,omitempty,flow"`
		AgentID  string   `yaml:"agent_id,omitempty"`
		Password string   `yaml:"password,omitempty"`
		Disabled bool     `yaml:"disabled,omitempty"`
		Tokens   []token  `yaml:"tokens,omitempty"`
	}
	out := struct {
		Users []user `yaml:"users"`
	}{Users: []user{}}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	for _, u := range users {
		f := user{u.User, u.Name, u.Role, u.Teams, u.AgentID, u.Password, u.Disabled, nil}
		for _, t := range u.Tokens {
			f.Tokens = append(f.Tokens, token{t.Name, t.Hash, stamp(t.Created), stamp(t.Expires), t.LastFour})
		}
		out.Users = append(out.Users, f)
	}
	var b bytes.Buffer
	b.WriteString(fileHeader)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

// ReadUsers reads a users file that only its owner may read. A missing one is an error that is fs.ErrNotExist.
func ReadUsers(path string) ([]User, error) {
	text, err := readUsersFile(path)
	if err != nil {
		return nil, err
	}
	return DecodeUsers(path, text)
}

func readUsersFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the users: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the users: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no file", path)
	}
	if err := checkMode(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxUsersFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the users: %w", err)
	}
	return text, nil
}

// EditUsers changes a users file, one process at a time, and writes it so that readers see the old one or the new one,
// never a part. It makes the file where there is none. What edit gives must be a valid file, else nothing changes.
func EditUsers(path string, edit func([]User) ([]User, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot write the users: %w", err)
	}
	unlock, err := lockFile(path + ".lock")
	if err != nil {
		return fmt.Errorf("cannot write the users: %w", err)
	}
	defer unlock()
	users, err := ReadUsers(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if users, err = edit(users); err != nil {
		return err
	}
	text, err := EncodeUsers(users)
	if err != nil {
		return fmt.Errorf("cannot write the users: %w", err)
	}
	if _, err := DecodeUsers("users", text); err != nil {
		return err
	}
	if err := writeFile(path, text); err != nil {
		return fmt.Errorf("cannot write the users: %w", err)
	}
	return nil
}

func writeFile(path string, text []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // replace what the link points to, not the link
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".users-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
