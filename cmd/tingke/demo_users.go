package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/tingke/tingke/dashboards/access"
)

// demoUsers makes one user of each role where there are none, with passwords that are shown this once: the file keeps
// their hashes only.
func (a *app) demoUsers(ctx context.Context, s *store) error {
	users, err := a.readUsers()
	if err != nil {
		return err
	}
	if len(users) > 0 {
		fmt.Fprintf(a.err, "users of %s; another password: tingke user password NAME --generate%s\n", a.usersPath(), a.dirFlag())
		return nil
	}
	agent, name, err := busiestAgent(ctx, s)
	if err != nil {
		return err
	}
	users = []access.User{
		{User: "admin", Role: access.Admin, Name: "管理员"},
		{User: "supervisor", Role: access.Supervisor, Name: "质检主管"},
		{User: "product", Role: access.Product, Name: "产品经理"},
		{User: "analyst", Role: access.Analyst, Name: "数据分析"},
		{User: "agent", Role: access.Agent, Name: name, AgentID: agent},
	}
	if agent == "" { // nobody in the conversations
		users = users[:len(users)-1]
	}
	passwords := make([]string, len(users))
	for i := range users {
		if passwords[i], err = a.newPassword(&users[i], true); err != nil {
			return err
		}
	}
	err = access.EditUsers(a.usersPath(), func(now []access.User) ([]access.User, error) {
		if len(now) > 0 {
			return nil, fmt.Errorf("somebody else made users in %s at the same moment; start again", a.usersPath())
		}
		return users, nil
	})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := a.auditUser(ctx, "add (demo)", u); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.err, "\nusers of the pages, made now and shown once (%s keeps hashes):\n", a.usersPath())
	tw := tabwriter.NewWriter(a.err, 0, 0, 2, ' ', 0)
	for i, u := range users {
		fmt.Fprintf(tw, "  %s\t%s\n", u.User, passwords[i])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "another password: tingke user password NAME --generate%s\n\n", a.dirFlag())
	return nil
}

// busiestAgent is the agent with the most sessions and the name to show, "" where there is none.
func busiestAgent(ctx context.Context, s *store) (id, name string, err error) {
	err = s.Conn().QueryRow(ctx, `SELECT agent, any(if(agent_id = agent, agent_name, '')) AS shown FROM sessions ARRAY JOIN agent_ids AS agent
		WHERE agent != '' AND lengthUTF8(agent) <= 64 GROUP BY agent ORDER BY count() DESC, agent LIMIT 1`).Scan(&id, &name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	if !access.ValidLabel(name) {
		name = ""
	}
	if !access.ValidLabel(id) {
		id = ""
	}
	return id, name, err
}
