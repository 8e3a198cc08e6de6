// SPDX-License-Identifier: MIT
#include "mount-options.h"

#include "lib/base/mount-attr.h"

/* A mount is copied with its options as a whole, so "rro" says the same here as "ro". */
bool take_word(struct words *words, const char *word, size_t n)
{
	bool deep;
	const struct idm_attr_option *option = idm_find_attr_option(word, n, &deep);

	if (!option)
		return false;
	idm_apply_attr_option(option, &words->set, &words->clear);
	if (option->propagation)
		words->propagation = option->propagation;
	return true;
}

bool words_name(const struct words *words, uint32_t attribute)
{
	return (words->set | words->clear) & attribute;
}
