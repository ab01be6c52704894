//go:build kill

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tingke/tingke/nlp/mask"
	"github.com/tingke/tingke/pipeline/failpoint"
	"github.com/tingke/tingke/pipeline/warehouse"
)

// TestKillRerun: while a worker takes messages, a rerun is killed with SIGKILL at seeded moments and at its failpoint and
// goes on each time; the switch is killed before and after it is made, and the worker with it; then forgetting a customer
// is killed before table after table. When all has been done again, the public views equal those of a store in which the
// same was done once, after the last message. TINGKE_SEED repeats a failed run.
func TestKillRerun(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TINGKE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TINGKE_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	const times = 8
	chunks, closed := killInput(t, rng, times+4)
	again := []string{"rerun", "--from", "2026-09-15", "--to", "2026-10-20", "--rules", "standard,presale"}

	control := newDeployment(t)
	for _, c := range chunks {
		control.send(t, c)
	}
	worker := control.worker(t)
	control.settled(t, worker, closed)
	control.do(t, append(again, "--switch")...)
	var customer string
	for _, row := range control.rows(t, "SELECT customer_id FROM sessions WHERE state = 'closed' AND customer_id != '' GROUP BY customer_id ORDER BY count() DESC, customer_id LIMIT 1") {
		customer = row
	}
	if customer == "" || mask.New([]byte(killKey), mask.Options{}).Pseudonym(customer) != customer {
		t.Fatalf("the customer of most sessions is %q", customer)
	}
	control.do(t, "forget", "--customer", customer, "--yes")
	want := control.snapshot(t)
	delete(want, "runs")
	control.stop(t, worker)
	control.close(t)
	if n := len(want["turns"]); n < 2000 {
		t.Fatalf("the control run has only %d turns", n)
	}

	d := newDeployment(t)
	worker = d.worker(t)
	worker.waitFor(t, "msg=generation")
	next := 0
	send := func() {
		d.send(t, chunks[next])
		next++
	}
	send()
	time.Sleep(2 * time.Second) // something to judge
	for range times {
		p := d.command(t, again)
		send()
		time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p := d.command(t, again, failpoint.Env+"="+string(failpoint.RerunWrite))
	if err := <-p.done; err == nil {
		t.Log("nothing was left to judge at the failpoint")
	}
	send()
	d.do(t, again...)
	ids := d.rows(t, "SELECT toString(max(run_id)) FROM runs WHERE state = 'done'")
	for i, name := range []failpoint.Name{failpoint.BeforeSwitch, failpoint.AfterSwitch} {
		p := d.command(t, []string{"runs", "switch", ids[0]}, failpoint.Env+"="+string(name))
		p.diedBySIGKILL(t, name)
		if got := d.rows(t, "SELECT toString(countIf(run_id > 0) > 0) FROM sessions")[0]; got != fmt.Sprint(i) {
			t.Errorf("killed at %s, the views show the run: %s", name, got)
		}
	}
	worker.kill(t)
	for ; next < len(chunks); next++ {
		d.send(t, chunks[next])
	}
	worker = d.worker(t)
	worker.waitFor(t, "msg=generation")
	for n := 1; n <= 6; n++ {
		p := d.command(t, []string{"forget", "--customer", customer, "--yes"}, failpoint.Env+"="+string(failpoint.EraseTable)+":"+fmt.Sprint(n))
		<-p.done
	}
	d.do(t, "forget", "--customer", customer, "--yes")
	var got warehouse.Tables
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Second) {
		got = d.snapshot(t)
		delete(got, "runs")
		if want.Diff(got) == "" || time.Now().After(deadline) {
			break
		}
	}
	d.stop(t, worker)
	for view, rows := range got {
		for _, row := range rows {
			if strings.Contains(row, customer) {
				t.Errorf("view %s still has customer %s: %.200s", view, customer, row)
			}
		}
	}
	d.close(t)
	if diff := want.Diff(got); diff != "" {
		t.Fatalf("the views differ from those of the control run (TINGKE_SEED=%d):\n%s", seed, diff)
	}
}

// command starts a command of the built binary with arguments.
func (d *deployment) command(t *testing.T, args []string, env ...string) *process {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin", "tingke"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(d.dir, args[0]+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{name: args[0], log: log.Name(), done: make(chan error, 1)}
	p.cmd = exec.Command(bin, append(args, "--dir", d.dir, "--config", d.config)...)
	p.cmd.Env = append(append(os.Environ(), "TINGKE_KEY="+killKey), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v (make build makes it)", bin, err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// do runs a command to its end.
func (d *deployment) do(t *testing.T, args ...string) {
	t.Helper()
	p := d.command(t, args)
	if err := <-p.done; err != nil {
		t.Fatalf("tingke %s: %v\n%s", strings.Join(args, " "), err, p.output())
	}
}

// rows gives a query's first column.
func (d *deployment) rows(t *testing.T, sql string) (out []string) {
	t.Helper()
	rows, err := d.store.Conn().Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
