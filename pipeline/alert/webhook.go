package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Headers of a webhook.
const (
	HeaderTimestamp = "X-Tingke-Timestamp" // seconds since 1970
	HeaderSignature = "X-Tingke-Signature" // sha256= and hex, see Sign
	HeaderID        = "X-Tingke-Alert-Id"  // the same in every attempt
)

// Sign is the signature of a webhook: hex of HMAC-SHA256 over the timestamp, a full stop and the body, with the secret as
// the key.
func Sign(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

// maxSkew is how old a webhook may be for a receiver.
const maxSkew = 5 * time.Minute

// Verify is what a receiver does: it says why a request with these headers and this body is not of who knows the secret,
// or was sent long before now and repeated by somebody.
func Verify(secret string, h http.Header, body []byte, now time.Time) error {
	stamp := h.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is missing or no number", HeaderTimestamp)
	}
	if !hmac.Equal([]byte(h.Get(HeaderSignature)), []byte(Sign(secret, stamp, body))) {
		return fmt.Errorf("%s does not fit", HeaderSignature)
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > maxSkew {
		return fmt.Errorf("%s is more than %s away", HeaderTimestamp, maxSkew)
	}
	return nil
}

// newHTTPClient makes a client that follows no redirect: a signed body goes to the address that was configured only.
func newHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 3 * time.Second, ResponseHeaderTimeout: 30 * time.Second, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// post sends a body and gives the answer of a 2xx. No error holds the address: it may be a secret.
func post(ctx context.Context, client *http.Client, address string, body []byte, header func(http.Header)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, &PermanentError{errors.New("the address is none")}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "tingke-alerts")
	if header != nil {
		header(req.Header)
	}
	res, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // so that the connection is used again
	switch {
	case res.StatusCode/100 == 2:
		return answer, nil
	case res.StatusCode == http.StatusTooManyRequests:
		wait, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return nil, &BusyError{For: min(time.Duration(max(wait, 1))*time.Second, time.Minute), Err: errors.New("it answers 429 Too Many Requests")}
	case res.StatusCode/100 == 3:
		return nil, &PermanentError{fmt.Errorf("it answers %d, a redirect, which is not followed", res.StatusCode)}
	case res.StatusCode/100 == 4 && res.StatusCode != http.StatusRequestTimeout && res.StatusCode != http.StatusTooEarly:
		return nil, &PermanentError{fmt.Errorf("it answers %d", res.StatusCode)}
	}
	return nil, fmt.Errorf("it answers %d", res.StatusCode)
}

// checkAddress says whether an address is one that a target can have.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("the address must begin with https:// or http://")
	}
	return nil
}

type webhook struct {
	client      *http.Client
	url, secret string
}

// NewWebhook makes a target that posts JSON to an address, signed where there is a secret.
func NewWebhook(address, secret string) (Target, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	return &webhook{newHTTPClient(), address, secret}, nil
}

// Send implements Target.
func (w *webhook) Send(ctx context.Context, d Delivery) error {
	_, err := post(ctx, w.client, w.url, d.Body, func(h http.Header) {
		h.Set(HeaderID, d.ID)
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		h.Set(HeaderTimestamp, stamp)
		if w.secret != "" {
			h.Set(HeaderSignature, Sign(w.secret, stamp, d.Body))
		}
	})
	return err
}

// DingTalkPerMinute is how many messages a DingTalk robot takes in a minute; beyond, it takes none for ten minutes.
const DingTalkPerMinute = 20

type dingTalk struct {
	client      *http.Client
	url, secret string
}

// NewDingTalk makes a target that writes into a DingTalk group by its robot. address is the robot's with the access
// token; secret is the one that DingTalk shows for the setting of signed messages, "" where the robot has another.
func NewDingTalk(address, secret string) (Target, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	return &dingTalk{newHTTPClient(), address, secret}, nil
}

// DingTalkSign is the signature of DingTalk's robots: Base64 of HMAC-SHA256 over the milliseconds since 1970, a line
// feed and the secret, with the secret as the key.
func DingTalkSign(secret string, ms int64) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%d\n%s", ms, secret)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Send implements Target.
func (t *dingTalk) Send(ctx context.Context, d Delivery) error {
	title, text := markdown(d)
	body, err := json.Marshal(map[string]any{"msgtype": "markdown", "markdown": map[string]string{"title": title, "text": text}})
	if err != nil {
		return &PermanentError{err}
	}
	address := t.url
	if t.secret != "" {
		ms := time.Now().UnixMilli()
		join := "?"
		if strings.Contains(address, "?") {
			join = "&"
		}
		address += fmt.Sprintf("%stimestamp=%d&sign=%s", join, ms, url.QueryEscape(DingTalkSign(t.secret, ms)))
	}
	answer, err := post(ctx, t.client, address, body, nil)
	if err != nil {
		return err
	}
	var a struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return errors.New("the answer is not DingTalk's")
	}
	switch a.Code {
	case 0:
		return nil
	case -1: // the system is busy
		return errors.New("DingTalk is busy")
	case 130101, 410100: // too many messages
		return &BusyError{For: time.Minute, Err: fmt.Errorf("DingTalk takes no more messages for now (%d)", a.Code)}
	}
	return &PermanentError{fmt.Errorf("DingTalk refuses: %d %s", a.Code, cut(a.Message, 100))}
}

var severityWords = map[string]string{"critical": "严重", "major": "重要", "minor": "一般", "info": "提示"}

// markdown writes a delivery for people.
func markdown(d Delivery) (title, text string) {
	var b strings.Builder
	if d.Digest != nil {
		title = fmt.Sprintf("另有 %d 条告警", d.Digest.Count)
		fmt.Fprintf(&b, "### %s\n\n%s\n", title, plain(tally(d.Digest.ByRule)))
		for i := range d.Digest.Alerts {
			a := &d.Digest.Alerts[i]
			fmt.Fprintf(&b, "\n- %s %s%s", severityWords[a.Severity], plain(orID(a.Title, a.RuleID)), link(" 会话", a.SessionURL))
		}
		return title, b.String()
	}
	a := d.Alert
	title = severityWords[a.Severity] + "：" + orID(a.Title, a.RuleID)
	fmt.Fprintf(&b, "### %s\n\n%s\n", plain(title), plain(a.Reason))
	if a.Evidence != "" {
		fmt.Fprintf(&b, "\n> %s\n", plain(a.Evidence))
	}
	for _, line := range []struct{ name, value string }{{"店铺", a.Shop}, {"团队", a.Team}, {"客服", a.AgentID}, {"会话", a.SessionID}} {
		if line.value != "" {
			fmt.Fprintf(&b, "\n- %s：%s", line.name, plain(line.value))
		}
	}
	fmt.Fprintf(&b, "\n\n%s%s\n", link("查看会话", a.SessionURL), link(" 接管", a.TakeoverURL))
	return title, b.String()
}

func link(text, address string) string {
	if address == "" {
		return ""
	}
	return " [" + strings.TrimSpace(text) + "](" + address + ")"
}

// plain takes away what Markdown would act on: a customer's text must not become a link or mention anybody.
func plain(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ", "\\", "\\\\", "[", "\\[", "]", "\\]", "(", "\\(", ")", "\\)", "!", "\\!", "#", "\\#", "*", "\\*", "_", "\\_", "`", "\\`", "<", "\\<", ">", "\\>", "@", "＠").Replace(s)
}
