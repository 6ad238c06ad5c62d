// Files, directories, mappings, and the rest of os/ that one process can test; os_fault itself.
#define _GNU_SOURCE // sigaction
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/os_fault.h"

static char dir[256];

static const char *path_in_dir(const char *name)
{
    static char path[2][512];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[0], "%s/%s", dir, name);
    return path[turn];
}

static int make_dir(void **state)
{
    (void)state;
    const char *base = os_env("TMPDIR");
    uint64_t id;
    if (os_random(&id, sizeof id, NULL) != HEARTH_OK) return 1;
    snprintf(dir, sizeof dir, "%s/hearth-test-%llx", base && *base ? base : "/tmp",
             (unsigned long long)id);
    return os_mkdirs(dir, NULL) != HEARTH_OK;
}

static int remove_dir(void **state)
{
    (void)state;
    return os_remove(dir, NULL) != HEARTH_OK; // each test cleans up: it must be empty
}

static hearth_status write_file(const char *path, const char *text)
{
    os_file *f = NULL;
    hearth_status status = os_file_open(path, OS_CREATE, &f, NULL);
    if (status != HEARTH_OK) return status;
    status = os_file_write(f, text, strlen(text), NULL);
    if (status == HEARTH_OK) status = os_file_sync(f, NULL);
    hearth_status closed = os_file_close(f, NULL);
    return status != HEARTH_OK ? status : closed;
}

static void test_write_read(void **state)
{
    (void)state;
    const char *path = path_in_dir("a");
    char text[16] = "";
    size_t got;
    os_file *f = NULL;
    assert_int_equal(write_file(path, "longer text"), HEARTH_OK);
    assert_int_equal(write_file(path, "hello"), HEARTH_OK); // truncates
    assert_int_equal(os_file_open(path, OS_READ, &f, NULL), HEARTH_OK);
    assert_int_equal(os_file_read(f, text, 3, &got, NULL), HEARTH_OK);
    assert_int_equal(got, 3);
    assert_int_equal(os_file_read(f, text + 3, 10, &got, NULL), HEARTH_OK);
    assert_int_equal(got, 2);
    assert_string_equal(text, "hello");
    assert_int_equal(os_file_read(f, text, 1, &got, NULL), HEARTH_OK);
    assert_int_equal(got, 0);
    hearth_err err = ERR_INIT;
    assert_int_equal(os_file_write(f, "x", 1, &err), HEARTH_E_IO); // opened for reading
    assert_string_equal(err.msg, "cannot write: bad file descriptor");
    assert_int_equal(os_file_close(f, NULL), HEARTH_OK);
    assert_int_equal(os_file_close(NULL, NULL), HEARTH_OK);
    assert_int_equal(os_file_open(path, OS_CREATE_NEW, &f, NULL), HEARTH_E_IO); // it is there
    assert_null(f);
    assert_int_equal(os_remove(path, NULL), HEARTH_OK);
    assert_int_equal(os_file_open(path, OS_CREATE_NEW, &f, NULL), HEARTH_OK);
    assert_int_equal(os_file_close(f, NULL), HEARTH_OK);
    assert_int_equal(os_remove(path, NULL), HEARTH_OK);
}

static void test_not_there(void **state)
{
    (void)state;
    const char *path = path_in_dir("none");
    os_file *f = (os_file *)1;
    os_mapping m;
    hearth_err err = ERR_INIT;
    assert_int_equal(os_file_open(path, OS_READ, &f, &err), HEARTH_E_NOTFOUND);
    assert_null(f);
    assert_string_equal(err.msg, "cannot open the file: no such file or directory");
    assert_int_equal(os_map_file(path, &m, NULL), HEARTH_E_NOTFOUND);
    assert_null(m.data);
    assert_int_equal(os_remove(path, NULL), HEARTH_E_NOTFOUND);
    assert_int_equal(os_rename(path, path_in_dir("b"), NULL), HEARTH_E_NOTFOUND);
    assert_int_equal(os_path_kind(path, NULL), OS_KIND_NONE);
    assert_int_equal(os_list_dir(path, NULL, NULL, NULL), HEARTH_E_NOTFOUND);
}

static void test_map(void **state)
{
    (void)state;
    const char *path = path_in_dir("m");
    os_mapping m;
    assert_int_equal(write_file(path, "mapped bytes"), HEARTH_OK);
    assert_int_equal(os_map_file(path, &m, NULL), HEARTH_OK);
    assert_int_equal(m.size, 12);
    os_map_will_need(m.data + 3, 5);
    assert_memory_equal(m.data, "mapped bytes", 12);
    os_unmap(&m);
    assert_null(m.data);
    os_unmap(&m);
    assert_int_equal(write_file(path, ""), HEARTH_OK);
    assert_int_equal(os_map_file(path, &m, NULL), HEARTH_OK);
    assert_null(m.data);
    assert_int_equal(m.size, 0);
    os_unmap(&m);
    hearth_err err = ERR_INIT;
    assert_int_equal(os_map_file(dir, &m, &err), HEARTH_E_IO);
    assert_string_equal(err.msg, "is a directory, not a file");
    assert_int_equal(os_map_file("/dev/null", &m, NULL), HEARTH_E_IO);
    assert_int_equal(os_remove(path, NULL), HEARTH_OK);
}

typedef struct listing {
    int n, stop_after;
    bool saw_a, saw_b, saw_other;
} listing;

static bool list_name(void *ctx, const char *name)
{
    listing *l = ctx;
    l->n++;
    l->saw_a = l->saw_a || strcmp(name, "a") == 0;
    l->saw_b = l->saw_b || strcmp(name, "b") == 0;
    l->saw_other = l->saw_other || name[1] != 0;
    return l->n != l->stop_after;
}

static void test_dirs(void **state)
{
    (void)state;
    uint64_t size = 7;
    char deep[600];
    snprintf(deep, sizeof deep, "%s/x//y/z/", dir);
    assert_int_equal(os_mkdirs(deep, NULL), HEARTH_OK);
    assert_int_equal(os_mkdirs(deep, NULL), HEARTH_OK);
    assert_int_equal(os_path_kind(deep, &size), OS_KIND_DIR);
    assert_int_equal(size, 0);
    assert_int_equal(write_file(path_in_dir("x/a"), "12345"), HEARTH_OK);
    assert_int_equal(os_path_kind(path_in_dir("x/a"), &size), OS_KIND_FILE);
    assert_int_equal(size, 5);
    assert_int_equal(write_file(path_in_dir("x/b"), "1"), HEARTH_OK);
    assert_int_equal(os_mkdirs(path_in_dir("x/a/c"), NULL), HEARTH_E_IO); // a is a file
    assert_int_equal(os_path_kind("/dev/null", NULL), OS_KIND_OTHER);
    listing l = {0};
    assert_int_equal(os_list_dir(path_in_dir("x"), list_name, &l, NULL), HEARTH_OK);
    assert_int_equal(l.n, 3); // a, b, y
    assert_true(l.saw_a && l.saw_b && !l.saw_other);
    l = (listing){.stop_after = 1};
    assert_int_equal(os_list_dir(path_in_dir("x"), list_name, &l, NULL), HEARTH_OK);
    assert_int_equal(l.n, 1);
    assert_int_equal(os_rename(path_in_dir("x/a"), path_in_dir("x/b"), NULL), HEARTH_OK);
    assert_int_equal(os_path_kind(path_in_dir("x/b"), &size), OS_KIND_FILE);
    assert_int_equal(size, 5); // replaced
    assert_int_equal(os_remove(path_in_dir("x"), NULL), HEARTH_E_IO); // not empty
    assert_int_equal(os_remove(path_in_dir("x/b"), NULL), HEARTH_OK);
    assert_int_equal(os_remove(path_in_dir("x/y/z"), NULL), HEARTH_OK);
    assert_int_equal(os_remove(path_in_dir("x/y"), NULL), HEARTH_OK);
    assert_int_equal(os_remove(path_in_dir("x"), NULL), HEARTH_OK);
}

static void test_machine(void **state)
{
    (void)state;
    uint8_t a[600] = {0}, b[600] = {0};
    assert_int_equal(os_random(a, sizeof a, NULL), HEARTH_OK);
    assert_int_equal(os_random(b, sizeof b, NULL), HEARTH_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 560, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); // beyond one request
    uint64_t t = os_now_ns();
    os_sleep_ns(2000000);
    assert_true(os_now_ns() - t >= 2000000);
    assert_true(os_unix_seconds() > 1700000000);
    assert_true(os_cpu_count() >= 1);
    assert_true(os_terminal_width() > 0);
    assert_true(os_memory_total() >= os_memory_available());
    assert_true(os_memory_available() > 1 << 20);
    assert_true(os_memory_peak_self() > 1 << 16);
    assert_null(os_env("HEARTH_SURELY_NOT_SET"));
}

static void test_heap(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 4096; align *= 2) {
        void *p = os_heap_alloc(100, align);
        assert_int_equal((uintptr_t)p % align, 0);
        os_heap_free(p);
    }
    os_heap_free(NULL);
    assert_null(os_heap_alloc(SIZE_MAX / 2 + 1, 64));
}

static void test_interrupt(void **state)
{
    (void)state;
    assert_false(os_interrupted());
    os_interrupt_catch();
    raise(SIGINT);
    assert_true(os_interrupted());
    os_interrupt_clear();
    assert_false(os_interrupted());
    raise(SIGINT); // the flag was clear again: caught
    assert_true(os_interrupted());
    os_interrupt_clear();
    signal(SIGINT, SIG_DFL);
}

static jmp_buf fault_jump;

static void on_fault(int number)
{
    (void)number;
    longjmp(fault_jump, 1);
}

static bool can_touch(volatile uint8_t *p, bool writing)
{
    bool fine = setjmp(fault_jump) == 0;
    if (fine && writing) *p = 1;
    if (fine && !writing) (void)*p;
    sigset_t open;
    sigemptyset(&open);
    sigprocmask(SIG_SETMASK, &open, NULL); // longjmp left the signal blocked
    return fine;
}

static void test_guarded(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_fault}, old[2];
    sigaction(SIGSEGV, &action, &old[0]);
    sigaction(SIGBUS, &action, &old[1]);
    const size_t sizes[] = {0, 1, 64, 4095, 4096, 4097};
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        size_t n = sizes[i];
        for (int at_end = 0; at_end < 2; at_end++) {
            os_guarded g;
            assert_int_equal(os_guarded_create(n, at_end, &g, NULL), HEARTH_OK);
            assert_int_equal(g.size, n);
            assert_false(can_touch(at_end ? g.data + n : g.data - 1, false));
            if (n > 0) {
                assert_true(can_touch(g.data, true) && can_touch(g.data + n - 1, true));
                os_guarded_protect(&g, true, false);
                assert_true(can_touch(g.data, false) && !can_touch(g.data, true));
                os_guarded_protect(&g, false, false);
                assert_false(can_touch(g.data + n - 1, false));
                os_guarded_protect(&g, true, true);
                assert_true(can_touch(g.data, true));
            }
            os_guarded_free(&g);
            os_guarded_free(&g);
        }
    }
    os_guarded g;
    assert_int_equal(os_guarded_create(SIZE_MAX, true, &g, NULL), HEARTH_E_NOMEM);
    sigaction(SIGSEGV, &old[0], NULL);
    sigaction(SIGBUS, &old[1], NULL);
}

// Writes a file under a temporary name and renames it: at every fault the old or the new content
// is there, and nothing leaks (ASan).
static hearth_status replace_file(const char *path, const char *temporary, const char *text)
{
    hearth_status status = write_file(temporary, text);
    return status == HEARTH_OK ? os_rename(temporary, path, NULL) : status;
}

static void check_content(const char *path, const char *a, const char *b)
{
    os_mapping m;
    assert_int_equal(os_map_file(path, &m, NULL), HEARTH_OK);
    bool is_a = m.size == strlen(a) && memcmp(m.data, a, m.size) == 0;
    bool is_b = m.size == strlen(b) && memcmp(m.data, b, m.size) == 0;
    assert_true(is_a || is_b);
    os_unmap(&m);
}

static void test_faults(void **state)
{
    (void)state;
    if (!os_fault_available()) skip(); // the linker cannot put os_fault in front
    const char *path = path_in_dir("f"), *temporary = path_in_dir("f.new");
    uint64_t n = 1;
    assert_int_equal(write_file(path, "old"), HEARTH_OK);
    for (;; n++) {
        os_fault_arm(OS_FAULT_FILE, n, false);
        hearth_status status = replace_file(path, temporary, "fresh content");
        os_fault_arm(0, 0, false);
        check_content(path, "old", "fresh content");
        os_remove(temporary, NULL);
        if (status == HEARTH_OK) break;
        assert_int_equal(status, HEARTH_E_IO);
    }
    assert_int_equal(n, 6); // open, write, sync, close, rename; then none failed
    os_fault_arm(OS_FAULT_FILE, 0, false);
    os_path_kind(path, NULL); // cannot fail: not counted
    assert_int_equal(os_remove(path, NULL), HEARTH_OK);
    assert_int_equal(os_fault_arm(0, 0, false), 1);
}

static void test_sticky_fault(void **state)
{
    (void)state;
    if (!os_fault_available()) skip(); // the linker cannot put os_fault in front
    uint8_t byte;
    os_guarded g;
    hearth_err err = ERR_INIT;
    os_fault_arm(OS_FAULT_MISC, 2, true);
    assert_int_equal(os_random(&byte, 1, NULL), HEARTH_OK);
    assert_int_equal(os_random(&byte, 1, &err), HEARTH_E_IO);
    assert_string_equal(err.msg, "injected fault");
    assert_int_equal(os_guarded_create(1, false, &g, NULL), HEARTH_E_NOMEM);
    os_fault_arm(OS_FAULT_HEAP, 1, false);
    assert_null(os_heap_alloc(1, 1));
    void *p = os_heap_alloc(1, 1);
    assert_non_null(p);
    os_heap_free(p);
    assert_int_equal(os_fault_arm(0, 0, false), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_read), cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_map),        cmocka_unit_test(test_dirs),
        cmocka_unit_test(test_machine),    cmocka_unit_test(test_heap),
        cmocka_unit_test(test_interrupt),  cmocka_unit_test(test_guarded),
        cmocka_unit_test(test_faults),     cmocka_unit_test(test_sticky_fault),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
