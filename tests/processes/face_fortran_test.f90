! Every procedure of the Fortran module, on any number of ranks: tutti run -n P face_fortran_test
module face_fortran_support
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit, int32, int64, real32, real64
  use tutti
  implicit none
  integer, parameter :: n = 37
  integer :: rank, ranks
  integer :: failures = 0

  ! A store for one rank, which need not share anything: keys and values in the order in which they were put.
  type :: entry
    character(len=:), allocatable :: key
    integer(c_int8_t), allocatable :: value(:)
  end type
  type(entry) :: entries(200)
  integer :: entry_count = 0

contains

  subroutine expect(condition, what)
    logical, intent(in) :: condition
    character(len=*), intent(in) :: what
    if (condition) return
    failures = failures + 1
    write (error_unit, '(a,i0,5a)') 'rank ', rank, ': expected ', what, '; last error: ', tutti_error_message()
  end subroutine

  ! The sum over all ranks of (rank + i).
  elemental real(real64) function total(i)
    integer, intent(in) :: i
    total = ranks * (ranks - 1) / 2 + ranks * i
  end function

  ! Keeps what lower ranks hold: associative, and it does not commute.
  subroutine keep_left(left, inout, count, type, context) bind(c)
    type(c_ptr), value :: left, inout, context
    integer(c_size_t), value :: count
    integer(c_int), value :: type
    integer(c_int32_t), pointer :: lower(:), both(:)
    integer(c_int), pointer :: called
    if (type /= tutti_int32) return
    call c_f_pointer(left, lower, [count])
    call c_f_pointer(inout, both, [count])
    call c_f_pointer(context, called)
    both = lower
    called = 1
  end subroutine

  function key_at(address) result(key)
    type(c_ptr), value :: address
    character(len=:), allocatable :: key
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    call c_f_pointer(address, letters, [128])
    key = ''
    do i = 1, 128
      if (letters(i) == c_null_char) return
      key = key//letters(i)
    end do
  end function

  integer(c_int) function store_put(context, key, value, bytes) bind(c)
    type(c_ptr), value :: context, key, value
    integer(c_size_t), value :: bytes
    integer(c_int8_t), pointer :: content(:)
    call c_f_pointer(value, content, [bytes])
    entry_count = entry_count + 1
    entries(entry_count)%key = key_at(key)
    entries(entry_count)%value = content
    store_put = merge(0, 1, .not. c_associated(context))
  end function

  integer(c_int) function store_get(context, key, value, bytes) bind(c)
    type(c_ptr), value :: context, key, value
    integer(c_size_t), intent(inout) :: bytes
    integer(c_int8_t), pointer :: content(:)
    integer :: i
    store_get = 1
    if (c_associated(context)) return
    do i = entry_count, 1, -1
      if (entries(i)%key /= key_at(key)) cycle
      bytes = size(entries(i)%value, kind=c_size_t)
      call c_f_pointer(value, content, [bytes])
      content = entries(i)%value
      store_get = 0
      return
    end do
  end function

  integer(c_int) function store_fence(context) bind(c)
    type(c_ptr), value :: context
    store_fence = merge(0, 1, .not. c_associated(context))
  end function
end module

program face_fortran_test
  use face_fortran_support
  implicit none
  type(tutti_comm) :: world
  type(tutti_error) :: error

  call tutti_init_from_env(world)
  rank = tutti_comm_rank(world)
  ranks = tutti_comm_size(world)

  call names_and_sizes_are_as_documented()
  call arrays_of_each_type_and_rank_travel()
  call every_collective_gives_its_result()
  call an_alltoall_brings_everybody_his_blocks()
  call nonblocking_collectives_fly_together()
  call persistent_requests_start_again()
  call buffers_carry_types_that_fortran_lacks()
  call user_operations_keep_the_order_of_ranks()
  call errors_are_returned_where_asked_for()
  call communicators_split_and_end()
  call options_are_set_and_asked_for()
  call stores_and_threads_start_communicators()

  call tutti_comm_free(world, error)
  call expect(error%code == tutti_ok .and. tutti_comm_is_null(world), 'the communicator to be freed')
  if (failures > 0) error stop 1

contains

  subroutine names_and_sizes_are_as_documented()
    call expect(tutti_result_name(tutti_error_dead) == 'TUTTI_ERROR_DEAD', 'the name of a code')
    call expect(len(tutti_version()) >= 5, 'a version')
    call expect(tutti_type_size(tutti_float64_int64) == 16, 'pairs of 16 bytes')
    call expect(tutti_type_size(tutti_bfloat16) == 2, 'bfloat16 of 2 bytes')
  end subroutine

  subroutine arrays_of_each_type_and_rank_travel()
    real(real32) :: single(n)
    real(real64) :: matrix(5, 7), scalar
    complex(real32) :: c_single
    complex(real64) :: c_double(2, 2, 2)
    integer(int32) :: i_single(n)
    integer(int64) :: i_double
    integer :: i
    single = [(real(rank + i), i=1, n)]
    call tutti_allreduce(single, tutti_sum, world)
    call expect(all(nint(single) == nint([(total(i), i=1, n)])), 'sums of real32')
    matrix = rank
    call tutti_allreduce(matrix, tutti_max, world)
    call expect(all(nint(matrix) == ranks - 1), 'the maximum of a matrix')
    scalar = rank
    call tutti_allreduce(scalar, tutti_avg, world)
    call expect(abs(scalar - (ranks - 1) / 2.0_real64) < 1e-12_real64, 'the average of a scalar')
    c_single = (1.0, -1.0)
    call tutti_allreduce(c_single, tutti_sum, world)
    call expect(abs(c_single - ranks * (1.0, -1.0)) < 1e-6, 'a complex sum')
    c_double = (0.0_real64, 1.0_real64)
    call tutti_allreduce(c_double, tutti_prod, world)
    call expect(all(abs(c_double - (0.0_real64, 1.0_real64)**ranks) < 1e-12_real64), 'complex products')
    i_single = 2**rank
    call tutti_allreduce(i_single, tutti_bor, world)
    call expect(all(i_single == 2**ranks - 1), 'a bitwise or')
    i_double = rank + 1
    call tutti_allreduce(i_double, tutti_min, world)
    call expect(i_double == 1, 'a minimum')
    ! Every second row: blocking calls take sections with a stride, through a copy that the compiler makes.
    matrix = rank
    call tutti_allreduce(matrix(1::2, :), tutti_sum, world)
    call expect(all(nint(matrix(1::2, :)) == ranks * (ranks - 1) / 2) .and. all(nint(matrix(2::2, :)) == rank), &
        'sums of every second row')
  end subroutine

  subroutine every_collective_gives_its_result()
    real(real64) :: in(n), out(n), long(n * ranks), own(n)
    integer(int32) :: root, i
    do root = 0, ranks - 1
      in = merge([(real(i, real64), i=1, n)], [(-1.0_real64, i=1, n)], rank == root)
      call tutti_broadcast(in, root, world)
      call expect(all(nint(in) == [(i, i=1, n)]), 'a broadcast')
      in = [(rank + i, i=1, n)]
      out = 0
      call tutti_reduce(in, out, tutti_sum, root, world)
      call expect(all(nint(out) == merge(nint([(total(i), i=1, n)]), 0, rank == root)), 'a reduce')
      call tutti_reduce(in, tutti_sum, root, world)
      call expect(all(nint(in) == merge(nint([(total(i), i=1, n)]), [(rank + i, i=1, n)], rank == root)), &
          'a reduce in place')
    end do
    in = [(rank + i, i=1, n)]
    call tutti_allreduce(in, out, tutti_sum, world)
    call expect(all(nint(out) == nint([(total(i), i=1, n)])), 'an allreduce')

    long = [(rank + i, i=1, n * ranks)]
    call tutti_reduce_scatter(long, own, tutti_sum, world)
    call expect(all(nint(own) == nint([(total(rank * n + i), i=1, n)])), 'a reduce-scatter')
    call tutti_reduce_scatter(long, tutti_sum, world)
    call expect(all(nint(long(:n)) == nint(own)), 'a reduce-scatter in place')

    call tutti_allgather(own, long, world)
    call expect(all(nint(long) == nint([(total(i), i=1, n * ranks)])), 'an allgather')
    long = 0
    long(rank * n + 1:(rank + 1) * n) = own
    call tutti_allgather(long, world)
    call expect(all(nint(long) == nint([(total(i), i=1, n * ranks)])), 'an allgather in place')

    call tutti_barrier(world)
  end subroutine

  subroutine an_alltoall_brings_everybody_his_blocks()
    real(real64), target, asynchronous :: long(n * ranks), received(n * ranks)
    integer :: expected(n * ranks), i, j
    type(tutti_request) :: request
    long = [(rank * 1000 + i, i=1, n * ranks)]
    call tutti_alltoall(long, received, world)
    expected = [((i * 1000 + rank * n + j, j=1, n), i=0, ranks - 1)]
    call expect(all(nint(received) == expected), 'an alltoall')
    call tutti_alltoall(long, world)
    call expect(all(nint(long) == expected), 'an alltoall in place')
    long = [(rank * 1000 + i, i=1, n * ranks)]
    received = 0
    call tutti_ialltoall(long, received, world, request)
    call tutti_wait(request)
    call expect(all(nint(received) == expected), 'a nonblocking alltoall')
    received = 0
    call tutti_alltoall_init(long, received, world, request)
    call tutti_start(request)
    call tutti_wait(request)
    call expect(all(nint(received) == expected), 'a persistent alltoall')
    call tutti_request_free(request)
  end subroutine

  subroutine check_results(sums, sent, reduced, own, gathered, round, what)
    integer(int64), intent(in) :: sums(n), sent(n), reduced(n), own(n), gathered(n * ranks)
    integer, intent(in) :: round
    character(len=*), intent(in) :: what
    integer :: i
    call expect(all(sums == nint([(total(i), i=1, n)]) + ranks * round), what//' allreduce')
    call expect(all(sent == [(i, i=1, n)] + round), what//' broadcast')
    if (rank == 0) call expect(all(reduced == nint([(total(i), i=1, n)]) + ranks * round), what//' reduce')
    call expect(all(own == nint([(total(rank * n + i), i=1, n)]) + ranks * round), what//' reduce-scatter')
    call expect(all(gathered == [(i, i=1, n * ranks)] + round), what//' allgather')
  end subroutine

  subroutine fill(sums, sent, reduced, blocks, mine, gathered, round)
    integer(int64), intent(out) :: sums(n), sent(n), reduced(n), blocks(n * ranks), mine(n), gathered(n * ranks)
    integer, intent(in) :: round
    integer :: i
    sums = [(rank + i + round, i=1, n)]
    reduced = sums
    sent = merge([(i + round, i=1, n)], 0, rank == 0)
    blocks = [(rank + i + round, i=1, n * ranks)]
    mine = [(rank * n + i + round, i=1, n)]
    gathered = 0
    gathered(rank * n + 1:(rank + 1) * n) = mine
  end subroutine

  subroutine nonblocking_collectives_fly_together()
    integer(int64), target, asynchronous :: sums(n), sums_out(n), sent(n), reduced(n), reduced_out(n), blocks(n * ranks), &
        own(n), mine(n), gathered(n * ranks), gathered_out(n * ranks)
    type(tutti_request) :: requests(6)
    logical :: done
    call fill(sums, sent, reduced, blocks, mine, gathered, 3)
    call tutti_iallreduce(sums, sums_out, tutti_sum, world, requests(1))
    call tutti_ibroadcast(sent, 0, world, requests(2))
    call tutti_ireduce(reduced, reduced_out, tutti_sum, 0, world, requests(3))
    call tutti_ireduce_scatter(blocks, own, tutti_sum, world, requests(4))
    call tutti_iallgather(mine, gathered_out, world, requests(5))
    call tutti_ibarrier(world, requests(6))
    call tutti_wait(requests(2))
    call tutti_wait(requests(2))  ! complete already
    call tutti_wait_all(requests)
    call check_results(sums_out, sent, reduced_out, own, gathered_out, 3, 'nonblocking')

    call tutti_iallreduce(sums, tutti_sum, world, requests(1))
    call tutti_ireduce(reduced, tutti_sum, 0, world, requests(3))
    call tutti_ireduce_scatter(blocks, tutti_sum, world, requests(4))
    call tutti_iallgather(gathered, world, requests(5))
    done = .false.
    do while (.not. done)
      call tutti_test(requests(1), done)
    end do
    call tutti_wait_all(requests)
    own = blocks(:n)
    call check_results(sums, sent, reduced, own, gathered, 3, 'nonblocking in-place')
  end subroutine

  subroutine persistent_requests_start_again()
    integer(int64), target, asynchronous :: sums(n), sums_out(n), sent(n), reduced(n), reduced_out(n), blocks(n * ranks), &
        own(n), mine(n), gathered(n * ranks), gathered_out(n * ranks)
    type(tutti_request) :: requests(10)
    integer :: round, i
    call tutti_allreduce_init(sums, sums_out, tutti_sum, world, requests(1))
    call tutti_broadcast_init(sent, 0, world, requests(2))
    call tutti_reduce_init(reduced, reduced_out, tutti_sum, 0, world, requests(3))
    call tutti_reduce_scatter_init(blocks, own, tutti_sum, world, requests(4))
    call tutti_allgather_init(mine, gathered_out, world, requests(5))
    call tutti_barrier_init(world, requests(6))
    call tutti_allreduce_init(sums, tutti_sum, world, requests(7))
    call tutti_reduce_init(reduced, tutti_sum, 0, world, requests(8))
    call tutti_reduce_scatter_init(blocks, tutti_sum, world, requests(9))
    call tutti_allgather_init(gathered, world, requests(10))
    do round = 1, 2
      call fill(sums, sent, reduced, blocks, mine, gathered, round)
      do i = 1, 6
        call tutti_start(requests(i))
      end do
      call tutti_wait_all(requests(1:6))
      call check_results(sums_out, sent, reduced_out, own, gathered_out, round, 'persistent')
      do i = 7, 10
        call tutti_start(requests(i))
      end do
      call tutti_wait_all(requests(7:10))
      own = blocks(:n)
      call check_results(sums, sent, reduced, own, gathered, round, 'persistent in-place')
    end do
    do i = 1, size(requests)
      call tutti_request_free(requests(i))
    end do
  end subroutine

  subroutine buffers_carry_types_that_fortran_lacks()
    integer(c_int16_t), target :: halves(4), sums(4)
    type(tutti_buffer) :: in, out
    type, bind(c) :: located
      real(c_double) :: value
      integer(c_int64_t) :: index
    end type
    type(located), target :: largest
    halves = 15360_c_int16_t  ! 1.0 as float16
    in = tutti_buffer(c_loc(halves), 4_c_size_t, tutti_float16)
    out = tutti_buffer(c_loc(sums), 4_c_size_t, tutti_float16)
    call tutti_allreduce(in, out, tutti_avg, world)
    call expect(all(sums == halves), 'the average of float16')
    largest = located(real(rank, c_double), rank)
    call tutti_allreduce(tutti_buffer(c_loc(largest), 1_c_size_t, tutti_float64_int64), tutti_maxloc, world)
    call expect(largest%index == ranks - 1, 'the place of the maximum')
  end subroutine

  subroutine user_operations_keep_the_order_of_ranks()
    type(tutti_op) :: op
    type(c_funptr) :: function
    integer(int32) :: value(3)
    integer(c_int), target :: called
    called = 0
    function = c_funloc(keep_left)
    call tutti_op_create(function, .false., op, context=c_loc(called))
    value = 10 + rank
    call tutti_allreduce(value, op, world)
    call expect(all(value == 10), 'the value of rank 0')
    call tutti_op_free(op)
  end subroutine

  subroutine errors_are_returned_where_asked_for()
    real(real32), target, asynchronous :: three(3), four(4), long(10, 10)
    type(tutti_request) :: request
    type(tutti_error) :: failure
    three = 0
    four = 0
    long = 0
    call tutti_allreduce(three, four, tutti_sum, world, failure)
    call expect(failure%code == tutti_error_argument, 'unequal lengths to be refused')
    call expect(index(failure%message, '"in" has 3 elements and "out" has 4') > 0, 'both lengths in '//failure%message)
    call tutti_broadcast(three, ranks, world, failure)
    call expect(failure%code == tutti_error_argument .and. index(failure%message, 'root') > 0, 'the root to be refused')
    call expect(failure%message == tutti_error_message(world), 'the same message from the communicator')
    call tutti_allreduce(three, tutti_band, world, failure)
    call expect(failure%code == tutti_error_argument, 'bitwise operations on reals to be refused')
    call tutti_iallreduce(long(1:5, :), tutti_sum, world, request, failure)
    call expect(failure%code == tutti_error_argument .and. index(failure%message, 'contiguous') > 0, &
        'a section with a stride to be refused')
    call tutti_allgather(three, four(:ranks), world, failure)
    call expect(failure%code == tutti_error_argument, 'a wrong shape to be refused')
    call tutti_allreduce(three, tutti_sum, world, failure)
    call expect(failure%code == tutti_ok .and. failure%message == '', 'no error')
  end subroutine

  subroutine communicators_split_and_end()
    type(tutti_comm) :: half, copy, survivors
    type(tutti_error) :: failure
    integer(int32) :: one
    call tutti_comm_split(world, mod(rank, 2), 0, half)
    call expect(tutti_comm_size(half) == (ranks + 1 - mod(rank, 2)) / 2, 'half of the ranks')
    one = 1
    call tutti_allreduce(one, tutti_sum, half)
    call expect(one == tutti_comm_size(half), 'the sum of the half')
    call tutti_comm_free(half)
    call tutti_comm_split(world, -1, 0, half)
    call expect(tutti_comm_is_null(half), 'no part in the split')
    call tutti_comm_duplicate(world, copy)
    call tutti_comm_shrink(copy, survivors)
    call expect(tutti_comm_size(survivors) == ranks, 'all ranks to survive')
    call tutti_comm_free(survivors)
    if (rank == 0) call tutti_comm_abort(copy, 'enough')
    call tutti_barrier(copy, failure)
    call expect(failure%code == tutti_error_aborted .and. index(failure%message, 'enough') > 0, 'an abort')
    call tutti_comm_free(copy)
  end subroutine

  subroutine options_are_set_and_asked_for()
    character(len=:), allocatable :: text
    type(tutti_error) :: failure
    integer(int32) :: one
    call tutti_comm_set_algorithm(world, 'allreduce=ring')
    call tutti_comm_choice(world, 'allreduce', 1000_c_size_t, tutti_float32, tutti_sum, .false., text)
    call expect(ranks == 1 .or. index(text, 'ring') == 1, 'the ring, not '//text)
    call tutti_comm_set_algorithm(world, 'allreduce=no-such', failure)
    call expect(failure%code == tutti_error_argument, 'an unknown algorithm to be refused')
    call tutti_comm_set_algorithm(world, '')
    call tutti_comm_progress_thread(world, .true.)
    one = 1
    call tutti_allreduce(one, tutti_sum, world)
    call tutti_comm_progress_thread(world, .false.)
    call expect(one == ranks, 'the sum beside a progress thread')
  end subroutine

  subroutine stores_and_threads_start_communicators()
    type(tutti_store_functions) :: store
    type(tutti_comm) :: alone, threads(1)
    store%put = c_funloc(store_put)
    store%get = c_funloc(store_get)
    store%fence = c_funloc(store_fence)
    call tutti_init_from_store(store, 0, 1, alone)
    call expect(tutti_comm_size(alone) == 1, 'a communicator from a store')
    call tutti_barrier(alone)
    call tutti_comm_free(alone)
    call tutti_init_threads(threads)
    call expect(tutti_comm_rank(threads(1)) == 0, 'a communicator of one thread')
    call tutti_barrier(threads(1))
    call tutti_comm_free(threads(1))
  end subroutine
end program
