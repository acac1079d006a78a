! SPDX-License-Identifier: BSD-3-Clause
!
! Tutti's Fortran module: collective operations between processes, on Fortran arrays.
!
!   use tutti
!   type(tutti_comm) :: world
!   real(real64) :: x(100, 3), norm
!   call tutti_init_from_env(world)
!   call tutti_allreduce(x, tutti_sum, world)                ! in place
!   call tutti_allreduce(x, y, tutti_sum, world)             ! out of place
!   norm = sum(x**2); call tutti_allreduce(norm, tutti_sum, world)
!   call tutti_comm_free(world)
!
! A compiled module belongs to one compiler, so this source is what is installed. Compile it once with yours,
! with its preprocessor on (the suffix .F90 does that), and link with the library:
!
!   gfortran -c $(pkg-config --variable=fortrandir tutti)/tutti.F90
!   gfortran program.f90 tutti.o $(pkg-config --libs tutti)
!
! tutti.h says what every collective means and which ranks must agree on what; this page says what Fortran adds.
!
! Arrays of real(real32), real(real64), complex(real32), complex(real64), integer(int32) and integer(int64), of
! any rank, and scalars, say their length and type by themselves. Lengths are checked against each other.
! Other types, and memory that is no Fortran array, are passed as a tutti_buffer (tutti_shapes.f90).
!
!   call tutti_allreduce      (in, out, op, comm)         or  (inout, op, comm)
!   call tutti_broadcast      (inout, root, comm)
!   call tutti_reduce         (in, out, op, root, comm)   or  (inout, op, root, comm)
!   call tutti_reduce_scatter (in, out, op, comm)         or  (inout, op, comm): the result at the beginning
!   call tutti_allgather      (in, out, comm)             or  (inout, comm): the rank's block already in its place
!   call tutti_alltoall       (in, out, comm)             or  (inout, comm): from a copy
!   call tutti_barrier        (comm)
!
! tutti_iallreduce and so on take a tutti_request after comm and return at once; tutti_allreduce_init and so
! on prepare one for tutti_start. Arrays given to them need the attributes target and asynchronous in the program,
! must be contiguous (which is checked), and must not be touched until the request is complete.
!
! Every procedure takes a last, optional argument `error`, a tutti_error: see tutti_objects.f90. Ranks and roots
! count from 0, as in C.
#include "tutti_c.f90"
#include "tutti_objects.f90"
#include "tutti_shapes.f90"
#include "tutti_buffers.f90"

#define MODULE_NAME tutti_real32
#define ELEMENT real(real32)
#define TYPE_CODE tutti_float32
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

#define MODULE_NAME tutti_real64
#define ELEMENT real(real64)
#define TYPE_CODE tutti_float64
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

#define MODULE_NAME tutti_complex_real32
#define ELEMENT complex(real32)
#define TYPE_CODE tutti_complex64
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

#define MODULE_NAME tutti_complex_real64
#define ELEMENT complex(real64)
#define TYPE_CODE tutti_complex128
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

#define MODULE_NAME tutti_integer32
#define ELEMENT integer(int32)
#define TYPE_CODE tutti_int32
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

#define MODULE_NAME tutti_integer64
#define ELEMENT integer(int64)
#define TYPE_CODE tutti_int64
#include "tutti_typed.inc"
#undef MODULE_NAME
#undef ELEMENT
#undef TYPE_CODE

module tutti
  use tutti_objects
  use tutti_buffers
  use tutti_real32
  use tutti_real64
  use tutti_complex_real32
  use tutti_complex_real64
  use tutti_integer32
  use tutti_integer64
  implicit none
  private :: report, refuse
end module
