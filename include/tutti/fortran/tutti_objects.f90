! SPDX-License-Identifier: BSD-3-Clause
!
! The objects of Tutti's Fortran module: communicators, requests, operations, errors, and what is done with
! them apart from the collectives.
!
! Errors. Each procedure ends with an optional `error`. Where it is given, error%code is tutti_ok or one of the
! codes of tutti.h and error%message says what was wrong, where, and what would be right. Where it is not,
! an error prints this message and stops the program.
module tutti_objects
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env, only: error_unit
  use tutti_c
  implicit none
  private

  ! Codes of errors; tutti.h says what each means.
  integer, parameter, public :: tutti_ok = 0, tutti_error_argument = 1, tutti_error_unsupported = 2, &
      tutti_error_mismatch = 3, tutti_error_dead = 4, tutti_error_late = 5, tutti_error_aborted = 6, &
      tutti_error_start = 7, tutti_error_memory = 8, tutti_error_fork = 9, tutti_error_system = 10, &
      tutti_error_internal = 11

  ! Element types, for tutti_buffer and tutti_type_size. Arrays of the common ones say theirs by themselves.
  integer(c_int), parameter, public :: tutti_int8 = 0, tutti_int16 = 1, tutti_int32 = 2, tutti_int64 = 3, &
      tutti_uint8 = 4, tutti_uint16 = 5, tutti_uint32 = 6, tutti_uint64 = 7, tutti_float16 = 8, tutti_bfloat16 = 9, &
      tutti_float32 = 10, tutti_float64 = 11, tutti_complex64 = 12, tutti_complex128 = 13, &
      tutti_float32_int32 = 14, tutti_float64_int64 = 15, tutti_int32_int32 = 16, tutti_int64_int64 = 17

  type, public :: tutti_error
    integer :: code = tutti_ok
    character(len=:), allocatable :: message
  end type

  type, public :: tutti_comm
    type(c_ptr) :: handle = c_null_ptr
  end type

  type, public :: tutti_request
    type(c_ptr) :: handle = c_null_ptr
    logical :: persistent = .false.
  end type

  type, public :: tutti_op
    integer(c_int) :: code = 0
  end type
  type(tutti_op), parameter, public :: tutti_sum = tutti_op(0), tutti_avg = tutti_op(1), tutti_prod = tutti_op(2), &
      tutti_min = tutti_op(3), tutti_max = tutti_op(4), tutti_minloc = tutti_op(5), tutti_maxloc = tutti_op(6), &
      tutti_land = tutti_op(7), tutti_lor = tutti_op(8), tutti_lxor = tutti_op(9), tutti_band = tutti_op(10), &
      tutti_bor = tutti_op(11), tutti_bxor = tutti_op(12)

  public :: tutti_store_functions, tutti_combine, tutti_store_put, tutti_store_get, tutti_store_fence
  public :: tutti_error_message, tutti_result_name, tutti_version, tutti_type_size
  public :: tutti_op_create, tutti_op_free
  public :: tutti_init_from_env, tutti_init_from_store, tutti_init_threads
  public :: tutti_comm_rank, tutti_comm_size, tutti_comm_split, tutti_comm_duplicate, tutti_comm_free
  public :: tutti_comm_abort, tutti_comm_shrink, tutti_comm_is_null
  public :: tutti_comm_set_algorithm, tutti_comm_choice, tutti_comm_progress_thread
  public :: tutti_barrier, tutti_ibarrier, tutti_barrier_init
  public :: tutti_start, tutti_wait, tutti_test, tutti_wait_all, tutti_request_free
  public :: report, refuse  ! for the other files of this module

  interface
    integer(c_size_t) function c_strlen(text) bind(c, name='strlen')
      import :: c_ptr, c_size_t
      type(c_ptr), value :: text
    end function
  end interface

contains

  ! ---- errors --------------------------------------------------------------------------------------

  function text_at(address) result(text)
    type(c_ptr), intent(in) :: address
    character(len=:), allocatable :: text
    character(kind=c_char), pointer :: letters(:)
    integer(c_size_t) :: i
    call c_f_pointer(address, letters, [c_strlen(address)])
    allocate (character(len=size(letters)) :: text)
    do i = 1, size(letters, kind=c_size_t)
      text(i:i) = letters(i)
    end do
  end function

  ! Hands an outcome to the caller, or stops the program with it.
  subroutine conclude(code, message, error)
    integer, intent(in) :: code
    character(len=*), intent(in) :: message
    type(tutti_error), intent(out), optional :: error
    if (present(error)) then
      error%code = code
      error%message = message
    else if (code /= tutti_ok) then
      write (error_unit, '(4a)') 'tutti: ', tutti_result_name(code), ': ', message
      error stop 1
    end if
  end subroutine

  ! The outcome of a function of the C interface.
  subroutine report(result, error)
    integer(c_int), intent(in) :: result
    type(tutti_error), intent(out), optional :: error
    if (result == tutti_ok) then
      call conclude(tutti_ok, '', error)
    else
      call conclude(int(result), text_at(c_tutti_error_message(c_null_ptr)), error)
    end if
  end subroutine

  ! An argument that the C interface need not see to be wrong.
  subroutine refuse(message, error)
    character(len=*), intent(in) :: message
    type(tutti_error), intent(out), optional :: error
    call conclude(tutti_error_argument, message, error)
  end subroutine

  ! The last error of `comm`, or without it the calling thread's last.
  function tutti_error_message(comm) result(message)
    type(tutti_comm), intent(in), optional :: comm
    character(len=:), allocatable :: message
    if (present(comm)) then
      message = text_at(c_tutti_error_message(comm%handle))
    else
      message = text_at(c_tutti_error_message(c_null_ptr))
    end if
  end function

  function tutti_result_name(code) result(name)
    integer, intent(in) :: code
    character(len=:), allocatable :: name
    name = text_at(c_tutti_result_name(int(code, c_int)))
  end function

  function tutti_version() result(version)
    character(len=:), allocatable :: version
    version = text_at(c_tutti_version())
  end function

  integer(c_size_t) function tutti_type_size(type)
    integer(c_int), intent(in) :: type
    tutti_type_size = c_tutti_type_size(type)
  end function

  ! ---- operations ----------------------------------------------------------------------------------

  ! An operation of the caller's own; tutti.h says what `function` must do. It is c_funloc of a bind(c) procedure
  ! with the interface tutti_combine.
  subroutine tutti_op_create(function, commutative, op, context, error)
    type(c_funptr), intent(in) :: function
    logical, intent(in) :: commutative
    type(tutti_op), intent(out) :: op
    type(c_ptr), intent(in), optional :: context
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: given
    given = c_null_ptr
    if (present(context)) given = context
    call report(c_tutti_op_create(function, given, merge(1_c_int, 0_c_int, commutative), op%code), error)
  end subroutine

  subroutine tutti_op_free(op, error)
    type(tutti_op), intent(in) :: op
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_op_free(op%code), error)
  end subroutine

  ! ---- start and end -------------------------------------------------------------------------------

  subroutine tutti_init_from_env(comm, error)
    type(tutti_comm), intent(out) :: comm
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_init_from_env(comm%handle), error)
  end subroutine

  subroutine tutti_init_from_store(store, rank, size, comm, error)
    type(tutti_store_functions), intent(in) :: store
    integer, intent(in) :: rank, size
    type(tutti_comm), intent(out) :: comm
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_init_from_store(store, int(rank, c_int), int(size, c_int), comm%handle), error)
  end subroutine

  ! comms(r + 1) is rank r's, for a thread of its own.
  subroutine tutti_init_threads(comms, error)
    type(tutti_comm), intent(out) :: comms(:)
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: handles(size(comms))
    integer(c_int) :: result
    result = c_tutti_init_threads(int(size(comms), c_int), handles)
    if (result == tutti_ok) comms%handle = handles
    call report(result, error)
  end subroutine

  integer function tutti_comm_rank(comm)
    type(tutti_comm), intent(in) :: comm
    integer(c_int) :: rank
    call report(c_tutti_comm_rank(comm%handle, rank))
    tutti_comm_rank = int(rank)
  end function

  integer function tutti_comm_size(comm)
    type(tutti_comm), intent(in) :: comm
    integer(c_int) :: ranks
    call report(c_tutti_comm_size(comm%handle, ranks))
    tutti_comm_size = int(ranks)
  end function

  ! True for a communicator that was never made, and for that of a rank which had no part in a split.
  logical function tutti_comm_is_null(comm)
    type(tutti_comm), intent(in) :: comm
    tutti_comm_is_null = .not. c_associated(comm%handle)
  end function

  ! Ranks of equal color form `part`, ordered by (key, old rank); a negative color takes no part.
  subroutine tutti_comm_split(comm, color, key, part, error)
    type(tutti_comm), intent(in) :: comm
    integer, intent(in) :: color, key
    type(tutti_comm), intent(out) :: part
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_split(comm%handle, int(color, c_int), int(key, c_int), part%handle), error)
  end subroutine

  subroutine tutti_comm_duplicate(comm, copy, error)
    type(tutti_comm), intent(in) :: comm
    type(tutti_comm), intent(out) :: copy
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_duplicate(comm%handle, copy%handle), error)
  end subroutine

  subroutine tutti_comm_free(comm, error)
    type(tutti_comm), intent(inout) :: comm
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: handle
    handle = comm%handle
    comm%handle = c_null_ptr
    call report(c_tutti_comm_free(handle), error)
  end subroutine

  subroutine tutti_comm_abort(comm, reason, error)
    type(tutti_comm), intent(in) :: comm
    character(len=*), intent(in) :: reason
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_abort(comm%handle, trim(reason)//c_null_char), error)
  end subroutine

  subroutine tutti_comm_shrink(comm, survivors, error)
    type(tutti_comm), intent(in) :: comm
    type(tutti_comm), intent(out) :: survivors
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_shrink(comm%handle, survivors%handle), error)
  end subroutine

  ! ---- options -------------------------------------------------------------------------------------

  ! Forces algorithms, in the grammar of TUTTI_ALGORITHM; '' ends it.
  subroutine tutti_comm_set_algorithm(comm, spec, error)
    type(tutti_comm), intent(in) :: comm
    character(len=*), intent(in) :: spec
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_set_algorithm(comm%handle, trim(spec)//c_null_char), error)
  end subroutine

  ! Which algorithm such a call would run, and why.
  subroutine tutti_comm_choice(comm, collective, count, type, op, in_place, text, error)
    type(tutti_comm), intent(in) :: comm
    character(len=*), intent(in) :: collective
    integer(c_size_t), intent(in) :: count
    integer(c_int), intent(in) :: type
    type(tutti_op), intent(in) :: op
    logical, intent(in) :: in_place
    character(len=:), allocatable, intent(out) :: text
    type(tutti_error), intent(out), optional :: error
    integer(c_size_t), parameter :: room = 4096  ! bytes, longer than any explanation of one choice
    character(kind=c_char), target :: letters(room)
    integer(c_int) :: result
    result = c_tutti_comm_choice(comm%handle, trim(collective)//c_null_char, count, type, op%code, &
        merge(1_c_int, 0_c_int, in_place), letters, room)
    if (result == tutti_ok) text = text_at(c_loc(letters))
    call report(result, error)
  end subroutine

  subroutine tutti_comm_progress_thread(comm, on, error)
    type(tutti_comm), intent(in) :: comm
    logical, intent(in) :: on
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_comm_progress_thread(comm%handle, merge(1_c_int, 0_c_int, on)), error)
  end subroutine

  ! ---- barrier and requests ------------------------------------------------------------------------

  subroutine tutti_barrier(comm, error)
    type(tutti_comm), intent(in) :: comm
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_barrier(comm%handle), error)
  end subroutine

  subroutine tutti_ibarrier(comm, request, error)
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_ibarrier(comm%handle, request%handle), error)
  end subroutine

  subroutine tutti_barrier_init(comm, request, error)
    type(tutti_comm), intent(in) :: comm
    type(tutti_request), intent(out) :: request
    type(tutti_error), intent(out), optional :: error
    request%persistent = .true.
    call report(c_tutti_barrier_init(comm%handle, request%handle), error)
  end subroutine

  subroutine tutti_start(request, error)
    type(tutti_request), intent(in) :: request
    type(tutti_error), intent(out), optional :: error
    call report(c_tutti_start(request%handle), error)
  end subroutine

  ! Waits until the operation is complete; a persistent request then stays for its next start.
  subroutine tutti_wait(request, error)
    type(tutti_request), intent(inout) :: request
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: handle
    handle = request%handle
    if (.not. request%persistent) request%handle = c_null_ptr
    call report(c_tutti_wait(handle), error)
  end subroutine

  ! Makes progress and says whether the operation is complete.
  subroutine tutti_test(request, done, error)
    type(tutti_request), intent(inout) :: request
    logical, intent(out) :: done
    type(tutti_error), intent(out), optional :: error
    integer(c_int) :: flag, result
    flag = 1
    result = tutti_ok
    if (c_associated(request%handle)) result = c_tutti_test(request%handle, flag)
    done = flag /= 0
    if ((done .or. result /= tutti_ok) .and. .not. request%persistent) request%handle = c_null_ptr
    call report(result, error)
  end subroutine

  ! Waits for all; the error is the first one, after all have ended.
  subroutine tutti_wait_all(requests, error)
    type(tutti_request), intent(inout) :: requests(:)
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: handles(size(requests))
    integer :: i
    do i = 1, size(requests)
      handles(i) = requests(i)%handle
      if (.not. requests(i)%persistent) requests(i)%handle = c_null_ptr
    end do
    call report(c_tutti_wait_all(size(requests, kind=c_size_t), handles), error)
  end subroutine

  subroutine tutti_request_free(request, error)
    type(tutti_request), intent(inout) :: request
    type(tutti_error), intent(out), optional :: error
    type(c_ptr) :: handle
    handle = request%handle
    request%handle = c_null_ptr
    call report(c_tutti_request_free(handle), error)
  end subroutine
end module
