// SPDX-License-Identifier: MIT
#include "copy-struct.h"

#include <errno.h>
#include <string.h>

#include "error.h"

static int copy_known_bytes(void *to, size_t size, const void *from, size_t given)
{
	const unsigned char *bytes = from;

	for (size_t i = size; i < given; i++)
		if (bytes[i])
			return -E2BIG;
	memcpy(to, from, given < size ? given : size);
	return 0;
}

int idm_copy_struct(void *to, size_t size, size_t first, const void *from, enum idm_error_step step,
		    struct idm_error *err)
{
	size_t given;

	if (!from)
		return 0;
	memcpy(&given, from, sizeof(given));
	if (!given)
		return idm_fail(err, -EINVAL, step, NULL, "the options' size is not set");
	if (given < first)
		return idm_fail(err, -EINVAL, step, NULL, "expected a size of at least %zu, got %zu",
				first, given);
	if (copy_known_bytes(to, size, from, given) < 0)
		return idm_fail(err, -E2BIG, step, NULL, "these options require a newer library");
	return 0;
}

int idm_copy_element(void *to, size_t size, const void *array, size_t i, size_t element_size)
{
	return copy_known_bytes(to, size, (const char *)array + i * element_size, element_size);
}

int idm_check_flags(unsigned int flags, unsigned int known, enum idm_error_step step,
		    const char *subject, struct idm_error *err)
{
	unsigned int unknown = flags & ~known;

	return unknown ? idm_fail(err, -EINVAL, step, subject, "unknown flags 0x%x", unknown) : 0;
}
