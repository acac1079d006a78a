! SPDX-License-Identifier: BSD-3-Clause
!
! Tutti's C interface as Fortran sees it: one declaration for each function of tutti.h. Programs use module
! tutti (tutti.F90), which stands on this one and knows Fortran's arrays; what a function means, tutti.h says.
module tutti_c
  use, intrinsic :: iso_c_binding, only: c_char, c_funptr, c_int, c_null_funptr, c_null_ptr, c_ptr, c_size_t
  implicit none
  public

  type, bind(c) :: tutti_store_functions
    type(c_funptr) :: put = c_null_funptr    ! procedure(tutti_store_put)
    type(c_funptr) :: get = c_null_funptr    ! procedure(tutti_store_get)
    type(c_funptr) :: fence = c_null_funptr  ! procedure(tutti_store_fence)
    type(c_ptr) :: context = c_null_ptr
  end type

  ! What the caller writes: the combine of an operation of its own, and the functions of a store.
  abstract interface
    subroutine tutti_combine(left, inout, count, type, context) bind(c)
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: left, inout, context
      integer(c_size_t), value :: count
      integer(c_int), value :: type
    end subroutine
    integer(c_int) function tutti_store_put(context, key, value, bytes) bind(c)
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: context, key, value
      integer(c_size_t), value :: bytes
    end function
    integer(c_int) function tutti_store_get(context, key, value, bytes) bind(c)
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: context, key, value
      integer(c_size_t), intent(inout) :: bytes
    end function
    integer(c_int) function tutti_store_fence(context) bind(c)
      import :: c_int, c_ptr
      type(c_ptr), value :: context
    end function
  end interface

  ! Written out one by one, though many share a shape: gfortran 12 forgets the value attribute of arguments that
  ! come through procedure(...), bind(c).
  interface
    type(c_ptr) function c_tutti_error_message(comm) bind(c, name='tutti_error_message')
      import :: c_ptr
      type(c_ptr), value :: comm
    end function
    type(c_ptr) function c_tutti_result_name(result) bind(c, name='tutti_result_name')
      import :: c_int, c_ptr
      integer(c_int), value :: result
    end function
    type(c_ptr) function c_tutti_version() bind(c, name='tutti_version')
      import :: c_ptr
    end function
    integer(c_size_t) function c_tutti_type_size(type) bind(c, name='tutti_type_size')
      import :: c_int, c_size_t
      integer(c_int), value :: type
    end function
    integer(c_int) function c_tutti_op_create(function, context, commutative, op) bind(c, name='tutti_op_create')
      import :: c_funptr, c_int, c_ptr
      type(c_funptr), value :: function
      type(c_ptr), value :: context
      integer(c_int), value :: commutative
      integer(c_int), intent(out) :: op
    end function
    integer(c_int) function c_tutti_op_free(op) bind(c, name='tutti_op_free')
      import :: c_int
      integer(c_int), value :: op
    end function
    integer(c_int) function c_tutti_init_from_env(comm) bind(c, name='tutti_init_from_env')
      import :: c_int, c_ptr
      type(c_ptr), intent(out) :: comm
    end function
    integer(c_int) function c_tutti_init_from_store(store, rank, size, comm) bind(c, name='tutti_init_from_store')
      import :: c_int, c_ptr, tutti_store_functions
      type(tutti_store_functions), intent(in) :: store
      integer(c_int), value :: rank, size
      type(c_ptr), intent(out) :: comm
    end function
    integer(c_int) function c_tutti_init_threads(size, comms) bind(c, name='tutti_init_threads')
      import :: c_int, c_ptr
      integer(c_int), value :: size
      type(c_ptr), intent(out) :: comms(*)
    end function
    integer(c_int) function c_tutti_comm_split(comm, color, key, part) bind(c, name='tutti_comm_split')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      integer(c_int), value :: color, key
      type(c_ptr), intent(out) :: part
    end function
    integer(c_int) function c_tutti_comm_choice(comm, collective, count, type, op, in_place, text, room) &
        bind(c, name='tutti_comm_choice')
      import :: c_char, c_int, c_ptr, c_size_t
      type(c_ptr), value :: comm
      character(kind=c_char), intent(in) :: collective(*)
      integer(c_size_t), value :: count, room
      integer(c_int), value :: type, op, in_place
      character(kind=c_char), intent(out) :: text(*)
    end function
    integer(c_int) function c_tutti_comm_progress_thread(comm, on) bind(c, name='tutti_comm_progress_thread')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      integer(c_int), value :: on
    end function
    integer(c_int) function c_tutti_test(request, done) bind(c, name='tutti_test')
      import :: c_int, c_ptr
      type(c_ptr), value :: request
      integer(c_int), intent(out) :: done
    end function
    integer(c_int) function c_tutti_wait_all(count, requests) bind(c, name='tutti_wait_all')
      import :: c_int, c_ptr, c_size_t
      integer(c_size_t), value :: count
      type(c_ptr), intent(in) :: requests(*)
    end function
    integer(c_int) function c_tutti_comm_rank(comm, number) &
        bind(c, name='tutti_comm_rank')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      integer(c_int), intent(out) :: number
    end function
    integer(c_int) function c_tutti_comm_size(comm, number) &
        bind(c, name='tutti_comm_size')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      integer(c_int), intent(out) :: number
    end function
    integer(c_int) function c_tutti_comm_duplicate(comm, made) &
        bind(c, name='tutti_comm_duplicate')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      type(c_ptr), intent(out) :: made
    end function
    integer(c_int) function c_tutti_comm_shrink(comm, made) &
        bind(c, name='tutti_comm_shrink')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      type(c_ptr), intent(out) :: made
    end function
    integer(c_int) function c_tutti_comm_free(comm) &
        bind(c, name='tutti_comm_free')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
    end function
    integer(c_int) function c_tutti_comm_abort(comm, text) &
        bind(c, name='tutti_comm_abort')
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: comm
      character(kind=c_char), intent(in) :: text(*)
    end function
    integer(c_int) function c_tutti_comm_set_algorithm(comm, text) &
        bind(c, name='tutti_comm_set_algorithm')
      import :: c_char, c_int, c_ptr
      type(c_ptr), value :: comm
      character(kind=c_char), intent(in) :: text(*)
    end function
    integer(c_int) function c_tutti_start(request) &
        bind(c, name='tutti_start')
      import :: c_int, c_ptr
      type(c_ptr), value :: request
    end function
    integer(c_int) function c_tutti_wait(request) &
        bind(c, name='tutti_wait')
      import :: c_int, c_ptr
      type(c_ptr), value :: request
    end function
    integer(c_int) function c_tutti_request_free(request) &
        bind(c, name='tutti_request_free')
      import :: c_int, c_ptr
      type(c_ptr), value :: request
    end function

    ! The collectives: blocking, nonblocking, persistent.
    integer(c_int) function c_tutti_allreduce(in, out, count, type, op, comm) &
        bind(c, name='tutti_allreduce')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
    end function
    integer(c_int) function c_tutti_broadcast(buffer, count, type, root, comm) &
        bind(c, name='tutti_broadcast')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: buffer, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, root
    end function
    integer(c_int) function c_tutti_reduce(in, out, count, type, op, root, comm) &
        bind(c, name='tutti_reduce')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op, root
    end function
    integer(c_int) function c_tutti_reduce_scatter(in, out, count, type, op, comm) &
        bind(c, name='tutti_reduce_scatter')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
    end function
    integer(c_int) function c_tutti_allgather(in, out, count, type, comm) &
        bind(c, name='tutti_allgather')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
    end function
    integer(c_int) function c_tutti_alltoall(in, out, count, type, comm) &
        bind(c, name='tutti_alltoall')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
    end function
    integer(c_int) function c_tutti_barrier(comm) &
        bind(c, name='tutti_barrier')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
    end function
    integer(c_int) function c_tutti_iallreduce(in, out, count, type, op, comm, request) &
        bind(c, name='tutti_iallreduce')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_ibroadcast(buffer, count, type, root, comm, request) &
        bind(c, name='tutti_ibroadcast')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: buffer, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, root
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_ireduce(in, out, count, type, op, root, comm, request) &
        bind(c, name='tutti_ireduce')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op, root
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_ireduce_scatter(in, out, count, type, op, comm, request) &
        bind(c, name='tutti_ireduce_scatter')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_iallgather(in, out, count, type, comm, request) &
        bind(c, name='tutti_iallgather')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_ialltoall(in, out, count, type, comm, request) &
        bind(c, name='tutti_ialltoall')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_ibarrier(comm, request) &
        bind(c, name='tutti_ibarrier')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_allreduce_init(in, out, count, type, op, comm, request) &
        bind(c, name='tutti_allreduce_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_broadcast_init(buffer, count, type, root, comm, request) &
        bind(c, name='tutti_broadcast_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: buffer, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, root
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_reduce_init(in, out, count, type, op, root, comm, request) &
        bind(c, name='tutti_reduce_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op, root
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_reduce_scatter_init(in, out, count, type, op, comm, request) &
        bind(c, name='tutti_reduce_scatter_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type, op
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_allgather_init(in, out, count, type, comm, request) &
        bind(c, name='tutti_allgather_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_alltoall_init(in, out, count, type, comm, request) &
        bind(c, name='tutti_alltoall_init')
      import :: c_int, c_ptr, c_size_t
      type(c_ptr), value :: in, out, comm
      integer(c_size_t), value :: count
      integer(c_int), value :: type
      type(c_ptr), intent(out) :: request
    end function
    integer(c_int) function c_tutti_barrier_init(comm, request) &
        bind(c, name='tutti_barrier_init')
      import :: c_int, c_ptr
      type(c_ptr), value :: comm
      type(c_ptr), intent(out) :: request
    end function
  end interface
end module
