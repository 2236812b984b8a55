package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/doorward/doorward/e2e/stage"
)

// Step is one thing that somebody does. Want is the error code that it must end
// with, empty where it must succeed.
type Step struct {
	Title string
	Want  string
	Do    func(context.Context) error
	// S3 marks a step that the S3 server asks Doorward about, so that a decision
	// must have been logged.
	S3 bool
}

// cast is who and what the story is about.
type cast struct {
	stage *stage.Stage
	root  person
	alice person
	temp  person
}

// person is a set of clients that sign with one credential.
type person struct {
	iam *iam.Client
	sts *sts.Client
	s3  *s3.Client
}

const (
	bucket   = "reports"
	readonly = "arn:aws:iam::000000000000:policy/readonly"
	desk     = "arn:aws:iam::000000000000:policy/alice-desk"

	deskPolicy = `{"Version":"2012-10-17","Statement":[
		{"Sid":"OwnFolder","Effect":"Allow","Action":["s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::reports/${aws:username}/*"},
		{"Sid":"NoSecrets","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::reports/secret/*"}]}`
	onlyJanuary = `{"Version":"2012-10-17","Statement":[
		{"Sid":"January","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/2026-01/*"}]}`
	everything = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Everything","Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	nonsense = `{"Version":"2012-10-17","Statement":[
		{"Sid":"Oops","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/*",
		 "Condition":{"StringEqualz":{"aws:username":"alice"}}}]}`
)

// Play performs the story and writes each step with its outcome, decision and
// deciding statement to out. The error names the steps that did not end as told.
func Play(ctx context.Context, s *stage.Stage, out io.Writer) error {
	c := &cast{stage: s, root: as(s, s.AccessKey, s.SecretKey, "")}
	decisions, err := openDecisions(s.Decisions)
	if err != nil {
		return err
	}
	var wrong []string
	for i, step := range c.steps() {
		err := step.Do(ctx)
		got := codeOf(err)
		verdict := "as told"
		if got != step.Want {
			verdict = fmt.Sprintf("NOT AS TOLD, expected %s", orOK(step.Want))
			wrong = append(wrong, step.Title)
		}
		fmt.Fprintf(out, "%2d. %s\n    %s (%s)\n", i+1, step.Title, orOK(got), verdict)
		if !step.S3 && err != nil {
			fmt.Fprintf(out, "      %s\n", messageOf(err))
		}
		lines, err := decisions.next()
		if err != nil {
			return err
		}
		for _, line := range lines {
			fmt.Fprintf(out, "      %s\n", line)
		}
		if step.S3 && len(lines) == 0 {
			wrong = append(wrong, step.Title+" (no decision was logged)")
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d steps did not end as told: %s", len(wrong), strings.Join(wrong, "; "))
	}
	return nil
}

func (c *cast) steps() []Step {
	return []Step{
		{Title: "root makes the bucket `reports` and fills it", Do: c.fillBucket, S3: true},
		{Title: "root creates the user alice with an access key", Do: c.createAlice},
		{Title: "alice reads a report: nothing is attached, so nothing is allowed", Want: "AccessDenied", Do: c.get(&c.alice, "2026-01/sales.csv"), S3: true},
		{Title: "root attaches `readonly` to alice", Do: c.attach(readonly)},
		{Title: "alice reads the report", Do: c.get(&c.alice, "2026-01/sales.csv"), S3: true},
		{Title: "alice lists the bucket", Do: c.list(&c.alice), S3: true},
		{Title: "alice writes into her folder: `readonly` does not allow it", Want: "AccessDenied", Do: c.put(&c.alice, "alice/notes.txt"), S3: true},
		{Title: "root writes a policy with a misspelt operator", Want: "MalformedPolicyDocument", Do: c.createPolicy("oops", nonsense)},
		{Title: "root writes the policy `alice-desk`: own folder yes, secrets never", Do: c.createPolicy("alice-desk", deskPolicy)},
		{Title: "root attaches it to alice", Do: c.attach(desk)},
		{Title: "alice writes into her folder", Do: c.put(&c.alice, "alice/notes.txt"), S3: true},
		{Title: "alice writes into bob's folder", Want: "AccessDenied", Do: c.put(&c.alice, "bob/notes.txt"), S3: true},
		{Title: "alice reads a secret: `readonly` allows, `alice-desk` denies, and Deny wins", Want: "AccessDenied", Do: c.get(&c.alice, "secret/salaries.csv"), S3: true},
		{Title: "alice takes temporary credentials for January only", Do: c.assume(onlyJanuary)},
		{Title: "the temporary credentials read January", Do: c.get(&c.temp, "2026-01/sales.csv"), S3: true},
		{Title: "the temporary credentials read February", Want: "AccessDenied", Do: c.get(&c.temp, "2026-02/sales.csv"), S3: true},
		{Title: "the temporary credentials write into alice's folder", Want: "AccessDenied", Do: c.put(&c.temp, "alice/more.txt"), S3: true},
		{Title: "alice asks for temporary credentials that may do everything", Do: c.assume(everything)},
		{Title: "they read February, which alice may", Do: c.get(&c.temp, "2026-02/sales.csv"), S3: true},
		{Title: "they write into bob's folder, which alice may not", Want: "AccessDenied", Do: c.put(&c.temp, "bob/notes.txt"), S3: true},
		{Title: "somebody signs as alice with a wrong secret", Want: "SignatureDoesNotMatch", Do: c.stranger(c.aliceKey, "2026-01/sales.csv")},
		{Title: "somebody signs with a key that nobody has", Want: "InvalidAccessKeyId", Do: c.stranger(unknownKey, "2026-01/sales.csv")},
		{Title: "root detaches both policies from alice", Do: c.detachAll},
		{Title: "alice reads the report: refused again", Want: "AccessDenied", Do: c.get(&c.alice, "2026-01/sales.csv"), S3: true},
		{Title: "the temporary credentials are refused with her", Want: "AccessDenied", Do: c.get(&c.temp, "2026-02/sales.csv"), S3: true},
		{Title: "root deletes alice while she has a key", Want: "DeleteConflict", Do: c.deleteAlice},
	}
}

func (c *cast) fillBucket(ctx context.Context) error {
	if _, err := c.root.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return err
	}
	for _, key := range []string{"2026-01/sales.csv", "2026-02/sales.csv", "secret/salaries.csv"} {
		if err := c.put(&c.root, key)(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) createAlice(ctx context.Context) error {
	if _, err := c.root.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("alice")}); err != nil {
		return err
	}
	made, err := c.root.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("alice")})
	if err != nil {
		return err
	}
	c.alice = as(c.stage, *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey, "")
	return nil
}

func (c *cast) attach(policy string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.root.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: aws.String(policy)})
		return err
	}
}

func (c *cast) detachAll(ctx context.Context) error {
	for _, policy := range []string{readonly, desk} {
		if _, err := c.root.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: aws.String("alice"), PolicyArn: aws.String(policy)}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cast) deleteAlice(ctx context.Context) error {
	_, err := c.root.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("alice")})
	return err
}

func (c *cast) createPolicy(name, document string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.root.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String(name), PolicyDocument: aws.String(document)})
		return err
	}
}

// assume takes alice's own identity, cut by a policy; the role of that name does
// not exist.
func (c *cast) assume(policy string) func(context.Context) error {
	return func(ctx context.Context) error {
		made, err := c.alice.sts.AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::000000000000:role/self"), RoleSessionName: aws.String("report-job"),
			Policy: aws.String(policy), DurationSeconds: aws.Int32(900),
		})
		if err != nil {
			return err
		}
		c.temp = asSession(c.stage, made.Credentials)
		return nil
	}
}

func (c *cast) get(p *person, key string) func(context.Context) error {
	return func(ctx context.Context) error {
		object, err := p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
		if err != nil {
			return err
		}
		defer object.Body.Close()
		_, err = io.Copy(io.Discard, object.Body)
		return err
	}
}

func (c *cast) list(p *person) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
		return err
	}
}

func (c *cast) put(p *person, key string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := p.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader("region,amount\nnorth,42\n")})
		return err
	}
}

// unknownKey is an access key id that no store has issued.
func unknownKey() string { return "AKIAAAAAAAAAAAAAAAAA" }

func (c *cast) aliceKey() string {
	creds, err := c.alice.s3.Options().Credentials.Retrieve(context.Background())
	if err != nil {
		return ""
	}
	return creds.AccessKeyID
}

// stranger signs with the named key and a secret that is not its own.
func (c *cast) stranger(key func() string, object string) func(context.Context) error {
	return func(ctx context.Context) error {
		p := as(c.stage, key(), "wrongwrongwrongwrongwrongwrongwrongwrong", "")
		return c.get(&p, object)(ctx)
	}
}

func as(s *stage.Stage, key, secret, token string) person {
	config := aws.Config{
		Region:      "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
		// A refusal is part of the story: nothing is tried twice.
		RetryMaxAttempts: 1,
	}
	return person{
		iam: iam.NewFromConfig(config, func(o *iam.Options) { o.BaseEndpoint = aws.String(s.Endpoint) }),
		sts: sts.NewFromConfig(config, func(o *sts.Options) { o.BaseEndpoint = aws.String(s.Endpoint) }),
		s3:  s3.NewFromConfig(config, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(s.S3), true }),
	}
}

func asSession(s *stage.Stage, c *types.Credentials) person {
	return as(s, *c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// codeOf returns the API error code of err, empty for none and the text of an
// error that did not come from the API.
func codeOf(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

// messageOf returns what the API says to people.
func messageOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

func orOK(code string) string {
	if code == "" {
		return "OK"
	}
	return code
}
