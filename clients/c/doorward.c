#define _POSIX_C_SOURCE 200809L
#include "doorward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { header_size = 12, max_request = 1 << 20, max_answer = 16 << 20, max_pairs = 256 };
enum { type_hello = 0x01, type_check = 0x02, type_welcome = 0x81, type_check_answer = 0x82 };

/* A buffer that grows; failed is set when it could not or when a field exceeds its
 * cap. */
struct buffer {
	uint8_t *data;
	size_t length, room;
	int failed;
};

struct doorward {
	struct sockaddr_un address;
	char name[64];
	int timeout, fd;
	uint32_t id;
	struct buffer out, in;
};

static uint8_t *grow(struct buffer *b, size_t n)
{
	if (b->failed || n > max_answer || b->length > max_answer - n) {
		b->failed = 1;
		return NULL;
	}
	if (b->length + n > b->room) {
		size_t room = b->room ? b->room : 4096;
		while (room < b->length + n)
			room *= 2;
		uint8_t *data = realloc(b->data, room);
		if (!data) {
			b->failed = 1;
			return NULL;
		}
		b->data = data;
		b->room = room;
	}
	b->length += n;
	return b->data + b->length - n;
}

static void put(struct buffer *b, uint64_t v, int size)
{
	uint8_t *at = grow(b, (size_t)size);
	for (int i = 0; at && i < size; i++)
		at[i] = (uint8_t)(v >> 8 * (size - 1 - i));
}

static void put_bytes(struct buffer *b, const void *data, size_t n)
{
	uint8_t *at = grow(b, n);
	if (at && n)
		memcpy(at, data, n);
}

static void put_text(struct buffer *b, struct doorward_text t)
{
	if (t.length > UINT16_MAX)
		b->failed = 1;
	put(b, t.length, 2);
	put_bytes(b, t.data, t.length);
}

static void put_pairs(struct buffer *b, const struct doorward_pair *pairs, size_t n)
{
	if (n > max_pairs)
		b->failed = 1;
	put(b, n, 2);
	for (size_t i = 0; i < n && !b->failed; i++) {
		put_text(b, pairs[i].name);
		put_text(b, pairs[i].value);
	}
}

static uint64_t number(const uint8_t *at, int size)
{
	uint64_t v = 0;
	for (int i = 0; i < size; i++)
		v = v << 8 | at[i];
	return v;
}

static void patch_length(struct buffer *b, size_t at, size_t n)
{
	for (int i = 0; !b->failed && i < 4; i++)
		b->data[at + i] = (uint8_t)(n >> 8 * (3 - i));
}

static void begin_frame(struct buffer *b, int type, int items, uint32_t id)
{
	b->length = 0;
	b->failed = 0;
	put(b, 0, 4);
	put(b, (uint64_t)type, 1);
	put(b, 0, 1);
	put(b, (uint64_t)items, 2);
	put(b, id, 4);
}

static void encode_check(struct buffer *b, const struct doorward_question *q)
{
	static const uint8_t none[32];
	size_t item = b->length;
	put(b, 0, 4);
	put(b, q->min_index, 8);
	put(b, q->tls, 1);
	put(b, (q->body_sum ? 1 : 0) | (q->body ? 2 : 0), 1);
	put_bytes(b, q->body_sum ? q->body_sum : none, 32);
	put_text(b, q->method);
	put_text(b, q->target);
	put_text(b, q->remote);
	put_pairs(b, q->headers, q->header_count);
	put_text(b, q->bucket_account);
	put_text(b, q->bucket_policy);
	put_pairs(b, q->facts, q->fact_count);
	put(b, q->body ? q->body_length : 0, 4);
	put_bytes(b, q->body, q->body ? q->body_length : 0);
	patch_length(b, item, b->length - item - 4);
}

static int send_frame(struct doorward *d)
{
	struct buffer *b = &d->out;
	if (b->failed || b->length - header_size > max_request) {
		errno = EMSGSIZE;
		return -1;
	}
	patch_length(b, 0, b->length - header_size);
	for (size_t sent = 0; sent < b->length;) {
		ssize_t n = send(d->fd, b->data + sent, b->length - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		sent += (size_t)n;
	}
	return 0;
}

static int receive(struct doorward *d, size_t n)
{
	uint8_t *at = grow(&d->in, n);
	if (!at) {
		errno = ENOMEM;
		return -1;
	}
	while (n) {
		ssize_t got = recv(d->fd, at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

/* receive_frame leaves the answer to id in d->in, header and all. */
static int receive_frame(struct doorward *d, uint32_t id)
{
	do {
		d->in.length = 0;
		d->in.failed = 0;
		if (receive(d, header_size))
			return -1;
		uint64_t length = number(d->in.data, 4);
		if (length > max_answer - header_size) {
			errno = EPROTO;
			return -1;
		}
		if (receive(d, (size_t)length))
			return -1;
	} while (number(d->in.data + 8, 4) != id);
	return 0;
}

static void hang_up(struct doorward *d)
{
	int why = errno;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	errno = why;
}

static int connect_now(struct doorward *d)
{
	struct timeval t = {d->timeout / 1000, d->timeout % 1000 * 1000};
	struct doorward_text name = {d->name, strlen(d->name)};
	d->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (d->fd < 0)
		return -1;
	if (setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) ||
	    setsockopt(d->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) ||
	    connect(d->fd, (struct sockaddr *)&d->address, sizeof d->address))
		return -1;
	begin_frame(&d->out, type_hello, 0, 0);
	put_bytes(&d->out, "DWRD", 4);
	put(&d->out, 1, 2);
	put(&d->out, 1, 2);
	put(&d->out, 0, 8);
	put_text(&d->out, name);
	if (send_frame(d) || receive_frame(d, 0))
		return -1;
	if (d->in.data[4] != type_welcome) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

/* get_text takes a text off the front of an item; missing ones are empty. */
static int get_text(const uint8_t **at, const uint8_t *end, struct doorward_text *t)
{
	if (end - *at < 2)
		return -1;
	size_t n = (size_t)number(*at, 2);
	if ((size_t)(end - *at - 2) < n)
		return -1;
	t->data = (const char *)*at + 2;
	t->length = n;
	*at += 2 + n;
	return 0;
}

static int decode_answer(const struct buffer *in, struct doorward_answer *a)
{
	const uint8_t *at = in->data + header_size, *end = in->data + in->length;
	if (end - at < 4 + 24)
		return -1;
	size_t item = (size_t)number(at, 4);
	at += 4;
	if ((size_t)(end - at) < item || item < 24)
		return -1;
	end = at + item;
	a->decision = at[0];
	a->has_posix = at[1] & 1;
	a->status = (uint16_t)number(at + 2, 2);
	a->index = number(at + 4, 8);
	a->staleness = (uint32_t)number(at + 12, 4);
	a->uid = (uint32_t)number(at + 16, 4);
	a->gid = (uint32_t)number(at + 20, 4);
	at += 24;
	struct doorward_text *texts[] = {
		&a->code, &a->message, &a->principal, &a->account, &a->user, &a->access_key,
		&a->session, &a->action, &a->resource, &a->policy, &a->statement, &a->needs,
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts && (i == 0 || at < end); i++)
		if (get_text(&at, end, texts[i]))
			return -1;
	return 0;
}

static void unavailable(struct doorward_answer *a)
{
	memset(a, 0, sizeof *a);
	a->decision = DOORWARD_DENY;
	a->status = 503;
	a->code.data = "ServiceUnavailable";
	a->code.length = strlen(a->code.data);
}

static int attempt(struct doorward *d, const struct doorward_question *q, struct doorward_answer *a)
{
	if (d->fd < 0 && connect_now(d))
		return -1;
	if (++d->id == 0)
		d->id = 1;
	begin_frame(&d->out, type_check, 1, d->id);
	encode_check(&d->out, q);
	if (send_frame(d) || receive_frame(d, d->id))
		return -1;
	memset(a, 0, sizeof *a);
	if (d->in.data[4] != type_check_answer || number(d->in.data + 6, 2) != 1 || decode_answer(&d->in, a)) {
		errno = EPROTO;
		return -1;
	}
	return 0;
}

struct doorward_text doorward_string(const char *s)
{
	struct doorward_text t = {s, strlen(s)};
	return t;
}

struct doorward *doorward_open(const char *path, const char *name, int timeout)
{
	struct doorward *d = calloc(1, sizeof *d);
	if (!d || strlen(path) >= sizeof d->address.sun_path) {
		free(d);
		return NULL;
	}
	d->address.sun_family = AF_UNIX;
	memcpy(d->address.sun_path, path, strlen(path));
	strncpy(d->name, name, sizeof d->name - 1);
	d->timeout = timeout;
	d->fd = -1;
	return d;
}

int doorward_check(struct doorward *d, const struct doorward_question *q, struct doorward_answer *a)
{
	/* The sidecar may have been restarted; to ask again changes nothing. */
	for (int tries = 0; tries < 2; tries++) {
		if (attempt(d, q, a) == 0)
			return 0;
		hang_up(d);
		if (errno == EMSGSIZE || errno == EAGAIN)
			break;
	}
	unavailable(a);
	return -1;
}

void doorward_close(struct doorward *d)
{
	if (!d)
		return;
	hang_up(d);
	free(d->out.data);
	free(d->in.data);
	free(d);
}
