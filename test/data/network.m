% Six buses with one of everything that a network can have: transformers with taps and shifts, parallel lines, shunts, lines
% without limits, several generators at a bus, and equipment that is out of service.
function mpc = network
mpc.version = '2';
mpc.baseMVA = 50;

%% bus data
%	bus_i	type	Pd	Qd	Gs	Bs	area	Vm	Va	baseKV	zone	Vmax	Vmin
mpc.bus = [
	10	3	0	0	0	0	1	1	0	110	1	1.1	0.9;
	20	2	40	10	0	0	1	1	0	110	1	1.1	0.9;
	30	1	35	12.5	1.5	9	1	1	0	110	1	1.05	0.95;
	40	1	20	5	0	-2	1	1	0	20	1	1.05	0.95;
	55	1	15	7	0	0	1	1	0	20	1	1.05	0.95;
	60	4	5	1	0	0	1	1	0	20	1	1.05	0.95; % isolated
];

%% generator data
%	bus	Pg	Qg	Qmax	Qmin	Vg	mBase	status	Pmax	Pmin
mpc.gen = [
	10	60	0	80	-40	1	50	1	120	0;
	10	10	0	10	-10	1	50	0	20	0; % out of service
	20	30	0	Inf	-Inf	1	50	1	60	5;
	20	15	0	20	-20	1	50	1	30	0;
	60	5	0	5	-5	1	50	1	10	0;
];

%% generator cost data
%	2	startup	shutdown	n	c(n-1)	...	c0
mpc.gencost = [
	2	0	0	3	0.02	11	100;
	2	0	0	3	9	9	9;
	2	0	0	4	0.0001	0.01	15	50;
	2	0	0	2	20	0	0	0;
	2	0	0	1	7;
];

%% branch data
%	fbus	tbus	r	x	b	rateA	rateB	rateC	ratio	angle	status	angmin	angmax
mpc.branch = [
	10	20	0.01	0.06	0.03	90	0	0	0	0	1	-30	30;
	10	30	0.02	0.09	0.02	60	0	0	0	0	1	-30	30;
	10	30	0.03	0.12	0.01	0	0	0	0	0	1	0	0; % parallel, no limits
	20	30	0.02	0.08	0	60	0	0	0	0	0	-30	30; % out of service
	20	40	0.005	0.1	0	50	0	0	0.97	2.5	1	-45	30;
	55	30	0.004	0.11	0	45	0	0	1.03	0	1	-30	45;
	40	55	0.05	0.15	0.01	30	0	0	0	0	1	-360	360;
	40	60	0.01	0.05	0	20	0	0	0	0	1	-30	30; % to an isolated bus
];
