// SPDX-License-Identifier: MIT
#include "fuse-server.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "tests/lib/test.h"

int fuse_mount(const char *place, const char *words)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];

	if (dev < 0)
		skip_test("no /dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,subtype=test%s", dev, words);
	scratch_dir(place);
	do_mount("fuse", place, "fuse", 0, options);
	return dev;
}

bool fuse_next(int dev, union fuse_request *request)
{
	ssize_t n = read(dev, request, sizeof(*request) - 1);

	if (n < 0) /* ENODEV */
		return false;
	request->room[n] = '\0';
	return true;
}

bool fuse_wants_answer(const struct fuse_in_header *in)
{
	return in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET &&
	       in->opcode != FUSE_INTERRUPT;
}

void fuse_answer(int dev, const struct fuse_in_header *in, int error, const void *body, size_t size)
{
	char buf[512];
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = error,
		.unique = in->unique,
	};

	memcpy(buf, &out, sizeof(out));
	memcpy(buf + sizeof(out), body, size);
	if (write(dev, buf, out.len) < 0 && errno != ENOENT) /* who asked has been killed */
		fail_msg("the answer is not taken: %s", strerror(errno));
}
