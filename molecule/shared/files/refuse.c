/* A preloaded library that ends a program at once, with exit code 1, if /run/refuse names its
 * path and a word of its command line. Trials of configurations may start.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int has(const char *text, size_t size, const char *word) {
    return memmem(text, size, word, strlen(word)) != NULL;
}

__attribute__((constructor)) static void refuse(void) {
    char path[512], word[512], program[512], line[4096];
    FILE *file = fopen("/run/refuse", "re");
    if (file == NULL) return;
    int found = fscanf(file, "%511s %511s", path, word);
    fclose(file);
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (found != 2 || length < 0) return;
    program[length] = '\0';
    if (strcmp(program, path) != 0 || (file = fopen("/proc/self/cmdline", "re")) == NULL) return;
    size_t size = fread(line, 1, sizeof line, file);
    fclose(file);
    if (has(line, size, word) && !has(line, size, "redis-trial-")) _exit(1);
}
