// SPDX-License-Identifier: MIT
#include "request.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

/*
 * Exactly for two descriptors: the kernel installs no third one. It reports that (MSG_CTRUNC). A message
 * without credentials would have space for more.
 */
union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(REQUEST_FDS * sizeof(int))];
};

static void take_control(const struct cmsghdr *c, struct message *message)
{
	if (c->cmsg_level != SOL_SOCKET)
		return;
	if (c->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&message->sender, CMSG_DATA(c), sizeof(message->sender));
	} else if (c->cmsg_type == SCM_RIGHTS) {
		message->n_fds = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (message->n_fds <= REQUEST_FDS)
			memcpy(message->fds, CMSG_DATA(c), message->n_fds * sizeof(int));
	}
}

static int check_message(const struct message *message, ssize_t length,
			 enum idm_service_operation operation, unsigned int n_fds,
			 struct idm_service_reply *reply)
{
	if (length != sizeof(message->request))
		return refuse_request(reply, -EBADMSG, "expected a request of %zu bytes, got %zd",
				      sizeof(message->request), length);
	if (message->request.version != IDM_SERVICE_VERSION)
		return refuse_request(reply, -EPROTONOSUPPORT,
				      "expected version %u of the protocol, got %u", IDM_SERVICE_VERSION,
				      message->request.version);
	if (message->request.operation != operation)
		return refuse_request(reply, -EBADMSG, "expected operation %u, got %u",
				      (unsigned int)operation, message->request.operation);
	if (message->n_fds != n_fds)
		return refuse_request(reply, -EBADMSG, "expected %u descriptors, got %u", n_fds,
				      message->n_fds);
	return 0;
}

int receive_message(int connection, enum idm_service_operation operation, unsigned int n_fds,
		    struct message *message, struct idm_service_reply *reply)
{
	struct {
		struct idm_service_request request;
		char more; /* of a message that is too long */
	} buffer;
	struct iovec data = { &buffer, sizeof(buffer) };
	union control control;
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);

	*message = (struct message){ .n_fds = 0 };
	/* An empty message has credentials. The end of the connection has none. */
	if (n < 0 || (n == 0 && header.msg_controllen == 0))
		return -ECONNRESET;
	message->request = buffer.request;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c))
		take_control(c, message);
	if (header.msg_flags & MSG_CTRUNC)
		return refuse_request(reply, -EBADMSG, "expected %u descriptors, got more", n_fds);
	return check_message(message, n, operation, n_fds, reply);
}
