/* Tests of doorward.c against golden bytes and, with arguments, a sidecar:
 *     test SOCKET TARGET NAME VALUE [NAME VALUE]...
 */
#include "doorward.c"

#include <stdio.h>

static int failures;

static void expect(int ok, const char *what)
{
	if (!ok) {
		failures++;
		fprintf(stderr, "FAIL: %s\n", what);
	}
}

static int same(struct doorward_text t, const char *s)
{
	return t.length == strlen(s) && memcmp(t.data, s, t.length) == 0;
}

/* golden reads a file in the form of hexdump -C. */
static struct buffer golden(const char *name)
{
	struct buffer b = {0};
	char path[256], line[128];
	snprintf(path, sizeof path, "../../sidecar/protocol/testdata/v1/%s.hex", name);
	FILE *f = fopen(path, "r");
	if (!f) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof line, f)) {
		char *at = line + 8, *bar = strchr(line, '|');
		unsigned byte;
		int used;
		while (bar && at < bar && sscanf(at, " %2x%n", &byte, &used) == 1) {
			put(&b, byte, 1);
			at += used;
		}
	}
	fclose(f);
	return b;
}

static void test_question(void)
{
	struct buffer want = golden("check"), got = {0};
	uint8_t sum[32];
	memset(sum, 0xab, sizeof sum);
	struct doorward_pair headers[] = {
		{doorward_string("Host"), doorward_string("s3.example")}, {doorward_string("x-amz-date"), doorward_string("20260102T030405Z")}};
	struct doorward_pair fact = {doorward_string("s3:ExistingObjectTag/class"), doorward_string("secret")};
	struct doorward_question q = {
		.method = doorward_string("GET"), .target = doorward_string("/bkt/a%20b?acl"), .remote = doorward_string("192.0.2.1:4711"),
		.headers = headers, .header_count = 2, .tls = 13, .min_index = 7, .body_sum = sum,
		.body = "<Delete/>", .body_length = 9, .bucket_account = doorward_string("000000000000"),
		.bucket_policy = doorward_string("{\"Statement\":[]}"), .facts = &fact, .fact_count = 1};
	begin_frame(&got, type_check, 1, 0x01020304);
	encode_check(&got, &q);
	patch_length(&got, 0, got.length - header_size);
	got.data[5] = want.data[5]; /* the golden frame asks for brief answers */
	expect(got.length == want.length && !memcmp(got.data, want.data, got.length), "a question has the golden bytes");
	free(got.data);
	free(want.data);
}

static void test_answer(void)
{
	struct buffer b = golden("answer");
	struct doorward_answer a = {0};
	expect(decode_answer(&b, &a) == 0, "the golden answer is read");
	expect(a.decision == DOORWARD_DENY && a.status == 403 && same(a.code, "AccessDenied"), "its decision");
	expect(a.index == 41 && a.staleness == 12 && a.has_posix && a.uid == 1000 && a.gid == 100, "its numbers");
	expect(same(a.user, "alice") && same(a.policy, "readonly") && same(a.needs, "s3:ExistingObjectTag/*"), "its texts");
	size_t whole = b.length;
	for (b.length = header_size; b.length < whole; b.length++)
		expect(decode_answer(&b, &a) != 0, "a truncated answer is an error");
	free(b.data);
}

static void test_nobody(void)
{
	struct doorward *d = doorward_open("/nonexistent", "test", 1000);
	struct doorward_question q = {.method = doorward_string("GET"), .target = doorward_string("/")};
	struct doorward_answer a;
	expect(doorward_check(d, &q, &a) == -1 && a.decision == DOORWARD_DENY && a.status == 503,
	       "a sidecar that is not there allows nothing");
	doorward_close(d);
}

static void test_live(int argc, char **argv)
{
	struct doorward_pair headers[64];
	size_t n = 0;
	for (int i = 3; i + 1 < argc && n < 64; i += 2, n++) {
		headers[n].name = doorward_string(argv[i]);
		headers[n].value = doorward_string(argv[i + 1]);
	}
	struct doorward *d = doorward_open(argv[1], "test", 5000);
	struct doorward_question q = {
		.method = doorward_string("GET"), .target = doorward_string(argv[2]), .remote = doorward_string("192.0.2.1"), .headers = headers, .header_count = n};
	struct doorward_answer a;
	for (int i = 0; i < 3; i++) {
		expect(doorward_check(d, &q, &a) == 0 && a.decision == DOORWARD_ALLOW && same(a.user, "alice"), "a sidecar allows");
		if (i == 1)
			hang_up(d);
	}
	q.header_count = 0;
	expect(doorward_check(d, &q, &a) == 0 && a.decision == DOORWARD_DENY, "a sidecar denies");
	doorward_close(d);
}

int main(int argc, char **argv)
{
	test_question();
	test_answer();
	test_nobody();
	if (argc > 2)
		test_live(argc, argv);
	if (!failures)
		puts("ok");
	return failures != 0;
}
