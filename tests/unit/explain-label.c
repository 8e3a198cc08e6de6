// SPDX-License-Identifier: MIT
/* Which labels of security modules mean that a module also decides. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/explain/facts.h"
#include "tests/lib/test.h"

static bool confines(const char *label, size_t n)
{
	int fd = memfd_create("label", MFD_CLOEXEC);
	bool confined;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, label, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	confined = idm_is_confined(fd);
	close(fd);
	return confined;
}

/* As the modules write them: AppArmor with a line break, SELinux with a NUL, Smack with nothing. */
TEST(labels_of_security_modules)
{
	assert_true(confines("docker-default (enforce)\n", 25));
	assert_true(confines("unconfined_u:unconfined_r:unconfined_t:s0", 42));
	assert_true(confines("unconfined//&a (enforce)\n", 25));
	assert_true(confines("_", 1));
	assert_true(confines("unconfine", 9));
	assert_false(confines("unconfined\n", 11));
	assert_false(confines("unconfined", 10));
	assert_false(confines("", 0));
	assert_false(idm_is_confined(-EINVAL));
}
