// SPDX-License-Identifier: MIT
/* The end of a connection. */
#include "connection.h"

#include <sys/socket.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "reply.h"

bool has_message(int connection)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr header = { .msg_control = control, .msg_controllen = sizeof(control) };

	return recvmsg(connection, &header, MSG_PEEK | MSG_DONTWAIT) != 0 || header.msg_controllen > 0;
}

void end_connection(struct slot *slot)
{
	idm_close_fd(&slot->pidfd);
	shutdown(slot->fd, SHUT_RDWR);
	if (has_message(slot->fd))
		enter_state(slot, OVER);
	else
		release_worker_slot(slot);
}

void send_refusal(const struct slot *slot, int code, const char *reason)
{
	struct idm_service_reply reply;

	refuse_request(&reply, code, "%s", reason);
	send_reply(slot->fd, &reply);
}

void refuse_slot(struct slot *slot, int code, const char *reason)
{
	send_refusal(slot, code, reason);
	end_connection(slot);
}
