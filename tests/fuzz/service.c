// SPDX-License-Identifier: MIT
/*
 * What clients and files hand to idmountd. The first byte selects one of three:
 *
 *  - messages, over a real socket: their length, their bytes, their descriptors and credentials. What is
 *    accepted is exactly a request. No descriptor is left;
 *  - lines of /etc/subuid: an ID has one owner, and an ID in no line is its own;
 *  - maps of a client and of its parent: a map that the rule accepts has IDs of the parent only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "service/owner.h"
#include "service/request.h"
#include "service/rule.h"

static void check_refusal(int r, const struct idm_service_reply *reply)
{
	CHECK(r < 0 && reply->result == r && *reply->reason);
	CHECK(memchr(reply->reason, '\0', sizeof(reply->reason)));
	CHECK(memchr(reply->hint, '\0', sizeof(reply->hint)));
}

/* ---- messages ---- */

#define MOST_FDS 12
#define MOST_BYTES 64

struct sent {
	size_t size, n_fds;
	bool with_credentials;
	unsigned char bytes[MOST_BYTES];
};

static void take_message(struct input *in, struct sent *sent)
{
	uint64_t shape = take_number(in, 1);

	*sent = (struct sent){ .size = take_number(in, 1) % MOST_BYTES,
			       .n_fds = shape % MOST_FDS,
			       .with_credentials = shape & 0x80 };
	for (size_t i = 0; i < sent->size; i++)
		sent->bytes[i] = (unsigned char)take_number(in, 1);
}

static struct cmsghdr *append_control(struct msghdr *header, int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = CMSG_LEN(size) };
	memcpy(CMSG_DATA(c), data, size);
	header->msg_controllen += CMSG_SPACE(size);
	return c;
}

static bool send_message(int socket, const struct sent *sent, int fd)
{
	_Alignas(struct cmsghdr) char control[256] = { 0 };
	const struct ucred own = { getpid(), getuid(), getgid() };
	struct iovec part = { (void *)sent->bytes, sent->size };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	int fds[MOST_FDS];

	for (size_t i = 0; i < sent->n_fds; i++)
		fds[i] = fd;
	if (sent->with_credentials)
		append_control(&header, SCM_CREDENTIALS, &own, sizeof(own));
	if (sent->n_fds)
		append_control(&header, SCM_RIGHTS, fds, sent->n_fds * sizeof(int));
	return sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool is_request(const struct sent *sent, enum idm_service_operation operation, unsigned int n)
{
	const struct idm_service_request request = { IDM_SERVICE_VERSION, operation };

	return sent->size == sizeof(request) && sent->n_fds == n &&
	       memcmp(sent->bytes, &request, sizeof(request)) == 0;
}

static void close_all(const struct message *message)
{
	for (unsigned int i = 0; i < message->n_fds && message->n_fds <= REQUEST_FDS; i++)
		close(message->fds[i]);
}

static void receive_one(int socket, const struct sent *sent, bool proof)
{
	enum idm_service_operation operation = proof ? IDM_SERVICE_PROVE : IDM_SERVICE_MAP;
	unsigned int n_fds = proof ? 0 : REQUEST_FDS;
	struct idm_service_reply reply = { 0 };
	struct message message;
	int r = receive_message(socket, operation, n_fds, &message, &reply);

	close_all(&message);
	CHECK((r == 0) == is_request(sent, operation, n_fds));
	if (r == 0)
		CHECK(message.sender.pid == getpid() && message.sender.uid == getuid());
	if (r < 0)
		check_refusal(r, &reply);
}

static int lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static void try_messages(struct input *in)
{
	const bool proof = take_number(in, 1) & 1;
	int ends[2], lowest = lowest_free(), on = 1;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	while (in->left) {
		struct sent sent;

		take_message(in, &sent);
		if (send_message(ends[1], &sent, ends[1]))
			receive_one(ends[0], &sent, proof);
	}
	close(ends[0]);
	close(ends[1]);
	CHECK(lowest_free() == lowest);
}

/* ---- /etc/subuid ---- */

static void try_subuid(struct input *in)
{
	uint32_t id = (uint32_t)take_number(in, 4);
	FILE *subuid = in->left ? fmemopen((void *)in->at, in->left, "r") : NULL;
	uint32_t owner = find_subordinate_owner(subuid, NULL, id);

	/* The same text has the same owner. */
	CHECK(find_subordinate_owner(subuid, NULL, id) == owner);
	if (!subuid)
		CHECK(owner == id);
	else
		fclose(subuid);
}

/* ---- the rule ---- */

static struct idm_map *take_map(struct input *in)
{
	struct idm_map *map = empty_map();

	for (uint64_t n = take_number(in, 1) % 8; n > 0; n--) {
		struct idm_entry entry = { (uint32_t)take_number(in, 4), (uint32_t)take_number(in, 4),
					   (uint32_t)take_number(in, 2) };

		idm_map_add(map, 1 + take_number(in, 1) % 3, &entry, 1, NULL);
	}
	return map;
}

static uint64_t count_side(const struct idm_map *map, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);
	uint64_t ids = 0;

	while (n > 0)
		ids += entries[--n].count;
	return ids;
}

/* A range is an ID of the parent at both ends, at least. A parent of few IDs has each in the map. */
static void check_side(const struct idm_map *map, const struct idm_map *parent, unsigned int kind)
{
	const struct idm_entry *entries;
	size_t n = idm_map_entries(map, kind, &entries);
	uint32_t inside;

	CHECK(n > 0);
	CHECK(count_side(parent, kind) >= 16384 || count_side(map, kind) >= count_side(parent, kind));
	for (size_t i = 0; i < n; i++) {
		uint32_t last = entries[i].disk + (entries[i].count - 1);

		CHECK(idm_map_to_disk(parent, kind, entries[i].disk, &inside) == 0);
		CHECK(idm_map_to_disk(parent, kind, last, &inside) == 0);
	}
}

static void try_rule(struct input *in)
{
	AUTO_MAP struct idm_map *parent = take_map(in), *map = take_map(in);
	const uint32_t groups[] = { (uint32_t)take_number(in, 4) };
	struct caller_facts caller = { .may_drop_groups = take_number(in, 1) & 1,
				       .groups = groups,
				       .n_groups = 1,
				       .parent = parent };
	struct idm_service_reply reply;
	int r = judge_map(map, &caller, &reply);
	uint32_t seen;

	if (r < 0) {
		check_refusal(r, &reply);
		return;
	}
	check_side(map, parent, IDM_UID);
	check_side(map, parent, IDM_GID);
	if (!caller.may_drop_groups)
		CHECK(idm_map_to_seen(map, IDM_GID, groups[0], &seen) == 0 && seen == groups[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct input *) = { try_messages, try_subuid, try_rule };
	struct input in = { data, size };

	tries[take_number(&in, 1) % ARRAY_SIZE(tries)](&in);
	return 0;
}
