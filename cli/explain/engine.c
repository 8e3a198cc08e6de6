// SPDX-License-Identifier: MIT
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "idmount.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

/* `errors` is -1 for none. */
static int start_engine(const char *const *argv, int out, int errors)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pidfd;
	const struct idm_child_fd fds[] = { { null, 0 }, { out, 1 }, { errors < 0 ? null : errors, 2 } };

	o.flags = IDM_CHILD_SEARCH_PATH;
	o.path = argv[0];
	o.argv = argv;
	o.fds = fds;
	o.n_fds = null < 0 ? 0 : ARRAY_SIZE(fds);
	pidfd = idm_child_start(&o, NULL);
	if (null >= 0)
		close(null);
	return pidfd;
}

/* What an engine printed so far. */
struct answer {
	char *text;
	size_t length, most;
};

/* Returns whether there may be more. */
static bool read_more(int out, struct answer *answer)
{
	ssize_t n = read(out, answer->text + answer->length, answer->most - answer->length);

	if (n > 0)
		answer->length += (size_t)n;
	return n > 0;
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Reads until the engine exits: its children may keep the pipe open. So the rest is in the pipe by then.
 * Returns 0 or -ETIMEDOUT.
 */
static int read_answer(int pidfd, int out, struct answer *answer)
{
	struct pollfd events[] = { { pidfd, POLLIN, 0 }, { out, POLLIN, 0 } };
	int64_t end = now_in_ms() + ENGINE_MS, left;

	while ((left = end - now_in_ms()) > 0) {
		if (poll(events, ARRAY_SIZE(events), (int)left) <= 0)
			continue;
		if (events[1].revents && !read_more(out, answer))
			events[1].fd = -1; /* closed, or full */
		else if (!events[1].revents && events[0].revents)
			return 0;
	}
	return -ETIMEDOUT;
}

static bool has_engine_succeeded(int pidfd)
{
	struct idm_exit_info info;

	return idm_child_wait(pidfd, -1, &info, NULL) == 0 && info.code == CLD_EXITED &&
	       info.status == 0;
}

int run_engine(const char *const *argv, int errors, char *text, size_t size)
{
	struct answer answer = { text, 0, size - 1 };
	int ends[2], pidfd, r;
	bool succeeded;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pidfd = start_engine(argv, ends[1], errors);
	close(ends[1]);
	r = pidfd < 0 ? 0 : read_answer(pidfd, ends[0], &answer);
	close(ends[0]);
	if (pidfd < 0)
		return 0;
	if (r < 0)
		idm_sys_pidfd_send_signal(pidfd, SIGKILL);
	succeeded = has_engine_succeeded(pidfd);
	close(pidfd);
	text[answer.length] = '\0';
	return r < 0 ? r : succeeded;
}
