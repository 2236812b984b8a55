/* doorward.h: asks a Doorward sidecar whether an S3 request may pass.
 *
 * The protocol is described in docs/protocol.md. C99 and POSIX sockets, no
 * dependencies. A connection is for one thread at a time.
 *
 *     struct doorward *d = doorward_open("/run/doorward/sidecar.sock", "server", 5000);
 *     struct doorward_question q = {.method = doorward_string("GET"), .target = doorward_string("/bucket/key"), ...};
 *     struct doorward_answer a;
 *     if (doorward_check(d, &q, &a) != 0 || a.decision != DOORWARD_ALLOW)
 *         refuse(a.status, a.code.data, a.code.length);
 *
 * Anything but a return of 0 with DOORWARD_ALLOW means that the request must not
 * pass. After an error the answer is a DENY with status 503.
 */
#ifndef DOORWARD_H
#define DOORWARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum doorward_decision { DOORWARD_ALLOW = 1, DOORWARD_DENY = 2, DOORWARD_NEED = 3 };

/* A text, not ended by a zero byte. */
struct doorward_text {
	const char *data;
	size_t length;
};

/* doorward_string is the text of a string that ends with a zero byte. (A bare literal in
 * the place of a text compiles too, and has the length 0.) */
struct doorward_text doorward_string(const char *s);

/* A header field, or a condition key with one of its values. */
struct doorward_pair {
	struct doorward_text name, value;
};

/* A request as the S3 server received it. Fields that are zero say nothing. */
struct doorward_question {
	struct doorward_text method;
	struct doorward_text target; /* request-target, byte for byte */
	struct doorward_text remote; /* address of the client as the server sees it */
	const struct doorward_pair *headers; /* as received, in order, Host among them */
	size_t header_count;
	uint8_t tls;          /* 0 plain, 12, 13, 1 another version */
	uint64_t min_index;   /* wait until the sidecar has applied this index */
	const uint8_t *body_sum; /* SHA-256 of the body, 32 bytes, or NULL */
	const char *body;     /* whole body where it names objects, or NULL */
	size_t body_length;
	struct doorward_text bucket_account, bucket_policy;
	const struct doorward_pair *facts;
	size_t fact_count;
};

/* The decision and its reason. Texts are valid until the next question. */
struct doorward_answer {
	int decision;
	uint16_t status;
	uint64_t index;
	uint32_t staleness; /* milliseconds */
	int has_posix;
	uint32_t uid, gid;
	struct doorward_text code, message, principal, account, user, access_key, session;
	struct doorward_text action, resource, policy, statement, needs;
};

struct doorward;

/* doorward_open makes a connection object; it connects with the first question.
 * timeout is in milliseconds. Returns NULL without memory or for a path that is
 * too long. */
struct doorward *doorward_open(const char *path, const char *name, int timeout);

/* doorward_check asks and returns 0, or -1 with errno if there is no answer. It
 * connects again by itself. */
int doorward_check(struct doorward *d, const struct doorward_question *q, struct doorward_answer *a);

void doorward_close(struct doorward *d);

#ifdef __cplusplus
}
#endif
#endif
