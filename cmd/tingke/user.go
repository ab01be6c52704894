package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/warehouse"
)

func (a *app) userCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "Users of the pages and the API: add, change, disable, give tokens",
		Long: "Keeps the users in DIR/users.yaml (access.users of the configuration): readable for its owner only, passwords as\n" +
			"Argon2id hashes, API tokens as hashes. A running `tingke serve` sees a change with its next request; a user who is\n" +
			"disabled is out at once. Changes are written to the audit log of the store.",
		Example: "  tingke user add wang --role supervisor --team 售后一组\n  tingke user token wang --name reports --expires 90d\n  tingke user disable wang",
	}
	c.AddCommand(a.userAddCommand(), a.userPasswordCommand(), a.userTokenCommand(), a.userSwitchCommand(true), a.userSwitchCommand(false), a.userListCommand())
	return c
}

// userResult is what the commands that change a user print with --json.
type userResult struct {
	User     access.User   `json:"user"`
	Password string        `json:"password,omitempty"` // generated
	Token    string        `json:"token,omitempty"`
	Made     *access.Token `json:"made,omitempty"`
}

func (a *app) userAddCommand() *cobra.Command {
	var u access.User
	var role string
	var generate bool
	c := &cobra.Command{
		Use:   "add NAME --role ROLE",
		Short: "Add a user",
		Long: "Adds a user. The password is asked for on a terminal, read as one line from standard input otherwise, or made with\n" +
			"--generate and printed once. Roles: admin (everything), supervisor (review, rules, exports; limited to --team where\n" +
			"given), product (opinions), analyst (reads everything, SQL), agent (own sessions; needs --agent-id).",
		Example: "  tingke user add li --role admin\n  tingke user add zhao --role agent --agent-id a17 --name 赵敏 --generate",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u.User, u.Role = strings.ToLower(args[0]), access.Role(role)
			if !slices.Contains(access.Roles, u.Role) {
				return usagef("--role %q is unknown, one of %s", role, joinRoles())
			}
			if _, i, err := a.findUser(u.User); err != nil || i >= 0 {
				return cmp.Or(err, usagef("user %q exists already", u.User))
			}
			password, err := a.newPassword(&u, generate)
			if err != nil {
				return err
			}
			return a.changeUser(c.Context(), "add", u.User, userResult{Password: password}, func(users []access.User, i int) ([]access.User, error) {
				if i >= 0 {
					return nil, usagef("user %q exists already", u.User)
				}
				return append(users, u), nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "", "admin, supervisor, product, analyst or agent")
	f.StringVar(&u.Name, "name", "", "name to show")
	f.StringSliceVar(&u.Teams, "team", nil, "team whose sessions the user may see, may be repeated; none: all")
	f.StringVar(&u.AgentID, "agent-id", "", "of role agent: the agent_id of the transcripts")
	f.BoolVar(&generate, "generate", false, "make a password and print it")
	if err := c.MarkFlagRequired("role"); err != nil {
		panic("role is a flag of this command: " + err.Error())
	}
	return c
}

func joinRoles() string {
	return strings.Join(mapped(access.Roles, func(r access.Role) string { return string(r) }), ", ")
}

func (a *app) userPasswordCommand() *cobra.Command {
	var generate bool
	c := &cobra.Command{
		Use:     "password NAME",
		Short:   "Set another password; log-in sessions of the user end",
		Long:    "Sets another password, read as by `user add`. The user has to log in again everywhere; tokens stay.",
		Example: "  tingke user password li\n  tingke user password li --generate",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.ToLower(args[0])
			u, i, err := a.findUser(name)
			if err != nil || i < 0 {
				return cmp.Or(err, unknownUser(name))
			}
			password, err := a.newPassword(&u, generate)
			if err != nil {
				return err
			}
			return a.changeUser(c.Context(), "password", name, userResult{Password: password}, func(users []access.User, i int) ([]access.User, error) {
				if i < 0 {
					return nil, unknownUser(name)
				}
				users[i].Password = u.Password
				return users, nil
			})
		},
	}
	c.Flags().BoolVar(&generate, "generate", false, "make a password and print it")
	return c
}

func (a *app) userSwitchCommand(enable bool) *cobra.Command {
	word, short := "disable", "Lock a user out: sessions and tokens end at once"
	if enable {
		word, short = "enable", "Let a disabled user in again"
	}
	return &cobra.Command{
		Use:     word + " NAME",
		Short:   short,
		Example: "  tingke user " + word + " li",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.ToLower(args[0])
			return a.changeUser(c.Context(), word, name, userResult{}, func(users []access.User, i int) ([]access.User, error) {
				if i < 0 {
					return nil, unknownUser(name)
				}
				users[i].Disabled = !enable
				return users, nil
			})
		},
	}
}

func (a *app) userTokenCommand() *cobra.Command {
	var name, expires, revoke string
	c := &cobra.Command{
		Use:   "token NAME --name TOKEN",
		Short: "Make an API token and print it once, or take one back",
		Long: "Makes an API token with the rights of the user, for `Authorization: Bearer ...`. It is printed once and kept as a\n" +
			"hash. With --revoke the token of that name stops working at once.",
		Example: "  tingke user token li --name reports --expires 90d\n  tingke user token li --revoke reports",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			who := strings.ToLower(args[0])
			if (name == "") == (revoke == "") {
				return usagef("give --name to make a token, or --revoke to take one back")
			}
			if revoke != "" {
				return a.changeUser(c.Context(), "revoke token "+revoke, who, userResult{}, func(users []access.User, i int) ([]access.User, error) {
					if i < 0 {
						return nil, unknownUser(who)
					}
					k := slices.IndexFunc(users[i].Tokens, func(t access.Token) bool { return t.Name == revoke })
					if k < 0 {
						return nil, usagef("user %q has no token %q", who, revoke)
					}
					users[i].Tokens = slices.Delete(users[i].Tokens, k, k+1)
					return users, nil
				})
			}
			now := time.Now()
			until, err := parseExpiry(expires, now)
			if err != nil {
				return err
			}
			token, secret, err := access.NewToken(name, now, until)
			if err != nil {
				return err
			}
			return a.changeUser(c.Context(), "token "+name, who, userResult{Token: secret, Made: &token}, func(users []access.User, i int) ([]access.User, error) {
				if i < 0 {
					return nil, unknownUser(who)
				}
				if slices.ContainsFunc(users[i].Tokens, func(t access.Token) bool { return t.Name == name }) {
					return nil, usagef("user %q has a token %q; revoke it first, or choose another name", who, name)
				}
				users[i].Tokens = append(users[i].Tokens, token)
				return users, nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "what the token is for")
	f.StringVar(&expires, "expires", "365d", "time until it ends, such as 90d or 12h, or never")
	f.StringVar(&revoke, "revoke", "", "take back the token of this name")
	return c
}

// parseExpiry reads 90d, 12h or never.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "never" {
		return time.Time{}, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		if _, err = fmt.Sscanf(days+"\n", "%d\n", &n); err == nil && n <= 36_500 {
			return now.AddDate(0, 0, n), positive(n > 0, s)
		}
	}
	if err != nil {
		return time.Time{}, usagef("--expires %q is no time, write for instance 90d, 12h or never", s)
	}
	return now.Add(d), positive(d > 0, s)
}

func positive(ok bool, s string) error {
	if !ok {
		return usagef("--expires %q is over already", s)
	}
	return nil
}

func (a *app) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List users and their tokens",
		Example: "  tingke user list\n  tingke user list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			users, err := a.readUsers()
			if err != nil {
				return err
			}
			if a.json {
				enc := json.NewEncoder(a.out)
				for _, u := range users {
					if err := enc.Encode(u); err != nil {
						return err
					}
				}
				return nil
			}
			tw := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "user\tname\trole\tteams\tstate\ttokens")
			for _, u := range users {
				state := "active"
				switch {
				case u.Disabled:
					state = "disabled"
				case u.Password == "":
					state = "tokens only"
				}
				tokens := mapped(u.Tokens, func(t access.Token) string {
					if t.Expires.IsZero() {
						return fmt.Sprintf("%s (…%s, never ends)", t.Name, t.LastFour)
					}
					return fmt.Sprintf("%s (…%s, until %s)", t.Name, t.LastFour, t.Expires.Format(time.DateOnly))
				})
				teams := strings.Join(u.Teams, ", ")
				if u.Role == access.Agent {
					teams = "agent " + u.AgentID
				} else if teams == "" {
					teams = "all"
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", u.User, u.Name, u.Role, teams, state, strings.Join(tokens, ", "))
			}
			return tw.Flush()
		},
	}
}

func unknownUser(name string) error { return usagef("there is no user %q; see tingke user list", name) }

// readUsers reads the users; none where there is no file yet.
func (a *app) readUsers() ([]access.User, error) {
	users, err := access.ReadUsers(a.usersPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return users, nil
}

// findUser gives a user and its place, -1 where there is none.
func (a *app) findUser(name string) (access.User, int, error) {
	users, err := a.readUsers()
	if err != nil {
		return access.User{}, -1, err
	}
	i := indexUser(users, name)
	if i < 0 {
		return access.User{}, -1, nil
	}
	return users[i], i, nil
}

func indexUser(users []access.User, name string) int {
	return slices.IndexFunc(users, func(u access.User) bool { return u.User == name })
}

// changeUser changes one user of the file, prints the result and writes the audit log.
func (a *app) changeUser(ctx context.Context, what, name string, r userResult, edit func(users []access.User, i int) ([]access.User, error)) error {
	err := access.EditUsers(a.usersPath(), func(users []access.User) ([]access.User, error) {
		users, err := edit(users, indexUser(users, name))
		if err == nil {
			r.User = users[indexUser(users, name)]
		}
		return users, err
	})
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if err := a.printUser(what, r); err != nil {
		return err
	}
	if err := a.auditUser(ctx, what, r.User); err != nil {
		return findingsf("the user is changed, but that is not in the audit log: %w", err)
	}
	return nil
}

func (a *app) printUser(what string, r userResult) error {
	if a.json {
		return json.NewEncoder(a.out).Encode(r)
	}
	fmt.Fprintf(a.out, "%s: %s (%s)\n", what, r.User.User, r.User.Role)
	if r.Password != "" {
		fmt.Fprintf(a.out, "password  %s\n", r.Password)
	}
	if r.Token != "" {
		fmt.Fprintf(a.out, "token     %s\nIt is not shown again. Use it as: curl -H \"Authorization: Bearer $TOKEN\" http://%s/api/v1/me\n", r.Token, a.config.Listen.Web)
	}
	return nil
}

// auditUser writes a change of a user to the audit log of the store.
func (a *app) auditUser(ctx context.Context, what string, u access.User) (err error) {
	s, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return a.audit(ctx, s, access.ActionUser, u.User, map[string]any{"what": what, "role": u.Role, "teams": u.Teams, "disabled": u.Disabled})
}

// audit writes to the audit log what a command did; the actor is the user of the system who ran it.
func (a *app) audit(ctx context.Context, s *store, action, object string, detail map[string]any) error {
	b, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	actor := "tingke"
	if me, err := user.Current(); err == nil {
		actor += " by " + me.Username
	}
	return s.AppendAudit(ctx, warehouse.AuditEntry{Actor: actor, Action: action, Object: object, Detail: string(b)})
}

// newPassword gives u a password: made, asked for, or the line of standard input. The result is the one that was made.
func (a *app) newPassword(u *access.User, generate bool) (made string, err error) {
	var password string
	if generate {
		made = access.NewPassword()
		password = made
	} else if password, err = a.readPassword(u.User); err != nil {
		return "", err
	}
	if u.Password, err = access.HashPassword(password); err != nil {
		return "", &exitError{exitUsage, err}
	}
	return made, nil
}

// readPassword reads a password without showing it on a terminal, twice, else one line.
func (a *app) readPassword(name string) (string, error) {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(a.in, access.MaxPassword+2)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", usagef("no password on standard input; write it there as one line, or use --generate")
		}
		return line, nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(a.err, prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return string(b), nil
	}
	first, err := ask(fmt.Sprintf("password of %s (at least %d characters): ", name, access.MinPassword))
	if err != nil {
		return "", err
	}
	again, err := ask("again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", usagef("the two passwords differ")
	}
	return first, nil
}
