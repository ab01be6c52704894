package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/tingke/tingke/dashboards/access"
	"github.com/tingke/tingke/pipeline/upload"
)

// Bounds of uploads over HTTP, beside those of the service.
const (
	uploadTimeout = 30 * time.Minute
	uploadBytes   = 2 << 30 // of one request
	// uploadStall is how long a sender may send no byte.
	uploadStall = 30 * time.Second
)

// actionImport is the action of the audit log.
const actionImport = "import"

func (a *API) importRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/imports", Roles: deciders, Summary: "Upload transcript files, as parts called file; the answer says what is in them and proposes column maps",
			RawBody: "multipart/form-data", MaxBody: uploadBytes, Timeout: uploadTimeout, Response: upload.Upload{}, Handle: a.receiveUpload,
		},
		{
			Method: http.MethodGet, Path: "/imports", Roles: deciders, Summary: "The caller's uploads that were not run yet, latest first; for admins everybody's",
			Response: Page[upload.Upload]{}, Handle: a.listUploads,
		},
		{
			Method: http.MethodGet, Path: "/imports/{upload_id}", Roles: deciders, Summary: "One upload",
			Response: upload.Upload{}, Handle: func(r *Request) (any, error) {
				s, actor, err := a.uploadsOf(r)
				if err != nil {
					return nil, err
				}
				u, err := s.Get(r.PathValue("upload_id"), actor)
				return u, uploadError(err)
			},
		},
		{
			Method: http.MethodDelete, Path: "/imports/{upload_id}", Roles: deciders, Summary: "Remove an upload and its files",
			Handle: func(r *Request) (any, error) {
				s, actor, err := a.uploadsOf(r)
				if err != nil {
					return nil, err
				}
				return nil, uploadError(s.Remove(r.PathValue("upload_id"), actor))
			},
		},
		{
			Method: http.MethodPost, Path: "/imports/{upload_id}/preview", Roles: deciders, Summary: "Read the beginning as an import would: ten sessions, masked, and the rows that are rejected; writes nothing",
			Body: upload.How{}, Response: upload.Preview{}, Timeout: time.Minute, Handle: func(r *Request) (any, error) {
				s, actor, err := a.uploadsOf(r)
				if err != nil {
					return nil, err
				}
				p, err := s.Preview(r.Context(), r.PathValue("upload_id"), actor, *Body[upload.How](r))
				return p, uploadError(err)
			},
		},
		{
			Method: http.MethodPost, Path: "/imports/{upload_id}/run", Roles: deciders, Summary: "Import it in the background; the job has the progress and the result",
			Body: upload.How{}, Response: Job{}, Handle: a.runUpload,
		},
	}
}

// uploadsOf gives the service and whose uploads the caller may touch. Who is bound to some teams may not import: a file can
// name any team, and a line can belong to a session of another one.
func (a *API) uploadsOf(r *Request) (s *upload.Service, actor string, err error) {
	if a.Uploads == nil {
		return nil, "", Unavailable("this server takes no uploads")
	}
	if !r.Scope.All() {
		return nil, "", Forbidden("only who may see all teams can import: a file may hold sessions of any team")
	}
	if r.Who.Is(access.Admin) {
		return a.Uploads, "", nil
	}
	return a.Uploads, r.Who.User, nil
}

// uploadError gives mistakes of the sender their status.
func uploadError(err error) error {
	var wrong *upload.Error
	if !errors.As(err, &wrong) {
		return err
	}
	status := http.StatusBadRequest
	switch wrong.Code {
	case "too_large":
		status = http.StatusRequestEntityTooLarge
	case "too_many", "busy":
		status = http.StatusConflict
	case "not_found":
		status = http.StatusNotFound
	}
	return &Error{status, wrong.Code, wrong.Problem, wrong.Field}
}

func (a *API) listUploads(r *Request) (any, error) {
	s, actor, err := a.uploadsOf(r)
	if err != nil {
		return nil, err
	}
	p := &Page[upload.Upload]{}
	for _, u := range s.List(actor) {
		p.Items = append(p.Items, *u)
	}
	return p, nil
}

func (a *API) receiveUpload(r *Request) (any, error) {
	s, _, err := a.uploadsOf(r)
	if err != nil {
		return nil, err
	}
	return &incoming{s, r.Who.User}, nil
}

// incoming reads an upload: it needs the connection, whose deadlines are for pages and not for large files.
type incoming struct {
	service *upload.Service
	actor   string
}

// Respond implements Responder.
func (in *incoming) Respond(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	body := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{&steady{body, c}, body}
	parts, err := r.MultipartReader()
	if err != nil {
		return &Error{http.StatusBadRequest, "bad_body", "the body is no multipart form: " + clip(err.Error(), 120), ""}
	}
	u, err := in.service.Receive(r.Context(), in.actor, func() (*upload.Part, error) { return nextFile(parts) })
	if err != nil {
		return uploadError(bodyError(err))
	}
	if err := c.SetWriteDeadline(time.Now().Add(exportStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// nextFile goes to the next part that is a file.
func nextFile(parts *multipart.Reader) (*upload.Part, error) {
	p, err := parts.NextPart()
	if err != nil {
		return nil, err
	}
	if p.FormName() != "file" || p.FileName() == "" {
		return nil, &Error{http.StatusBadRequest, "unknown_field", "only files in parts called file are taken", clip(p.FormName(), 60)}
	}
	return &upload.Part{Name: p.FileName(), Body: p}, nil
}

// bodyError tells a body that is cut off or malformed from failures of the server.
func bodyError(err error) error {
	var ours *upload.Error
	var told *Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &ours), errors.As(err, &told), errors.As(err, &large), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, multipart.ErrMessageTooLarge):
		return &Error{http.StatusBadRequest, "bad_body", "the upload was cut off; send it again", ""}
	}
	return err
}

// steady gives a sender time for each part, rather than for the whole.
type steady struct {
	r io.Reader
	c *http.ResponseController
}

func (s *steady) Read(b []byte) (int, error) {
	if err := s.c.SetReadDeadline(time.Now().Add(uploadStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.r.Read(b)
}

func (a *API) runUpload(r *Request) (any, error) {
	s, actor, err := a.uploadsOf(r)
	if err != nil {
		return nil, err
	}
	id, how := r.PathValue("upload_id"), *Body[upload.How](r)
	u, err := s.Get(id, actor)
	if err != nil {
		return nil, uploadError(err)
	}
	names := make([]string, len(u.Files))
	for i, f := range u.Files {
		names[i] = f.Name
	}
	if err := access.Audit(r.Context(), actionImport, id, map[string]any{"files": names}); err != nil {
		return nil, err
	}
	title := names[0]
	return a.start(r, "import", title, 0, func(ctx context.Context, progress func(int)) (any, error) {
		result, err := s.Run(ctx, id, actor, how, progress)
		return result, uploadError(err)
	})
}
